"""A script in a worker does what it does under plain `python train.py`, to the letter of what it prints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsweep.worker.script import Script
from tests.worker.script_worker import Ended, ScriptWorker

CASES = {
    "its surroundings": (
        "import os, sys\n"
        "print(__name__, __file__, __doc__, __package__, __spec__, __builtins__.__name__, __loader__.name, __annotations__)\n"
        "print(sorted(globals()), sys.argv[0], sys.path[0], sys.modules['__main__'].__dict__ is globals(), os.getcwd(), sys.orig_argv)"
    ),
    "sys.exit(0)": "import sys\nprint('before')\nsys.exit(0)\nprint('after')",
    "sys.exit(3)": "import sys\nsys.exit(3)",
    "sys.exit() of a text": "import sys\nsys.exit('what went wrong')",
    "an exception": "def fail():\n    raise ValueError('no')\n\n\nfail()",
    "a chained exception": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('x') from error",
    "an exception of a library": "import json\njson.loads('{')",
    "a syntax error": "print('never')\ndef f(:\n",
    "another encoding": "# coding: latin-1\nprint('\xe9')",
    "an exception and its own hook": "import sys\nsys.excepthook = lambda *args: print('hooked', args[0].__name__)\n1 / 0",
    "an exception and a broken hook": "import sys\ndef hook(*args): raise KeyError('hook')\nsys.excepthook = hook\n1 / 0",
    "atexit": "import atexit\natexit.register(print, 'first')\natexit.register(print, 'second')\nprint('end')",
    "atexit after an exception": "import atexit\natexit.register(print, 'at exit')\n1 / 0",
    "a thread that runs on": (
        "import atexit, threading\n"
        "atexit.register(print, 'at exit')\n"
        "go = threading.Event()\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), print('thread ended'))).start()\n"
        "print('main ended', threading.current_thread() is threading.main_thread(), threading.active_count())"
    ),
    "a daemon that runs on": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nprint(1)",
    "a thread's exception": (
        "import threading\nthread = threading.Thread(target=lambda: 1 / 0, name='T')\nthread.start()\nthread.join()\nprint(1)"
    ),
    "pools of processes": (
        "import multiprocessing\n\n\ndef square(x):\n    return x * x\n\n\n"
        "if __name__ == '__main__':\n"
        "    for method in ('fork', 'spawn'):\n"
        "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
        "            print(method, pool.map(square, [1, 2, 3]))"
    ),
    "a fork": (
        "import os\npid = os.fork()\nif pid:\n    print(os.waitpid(pid, 0)[1] >> 8)\nelse:\n    raise SystemExit(5)\nprint('parent')"
    ),
    "a forked child that fails": "import os\npid = os.fork()\nif not pid:\n    1 / 0\nprint(os.waitpid(pid, 0)[1] >> 8)",
    "pickles and sources": (
        "import inspect, pickle\n\n\nclass Model:\n    def name(self):\n        return 'model'\n\n\n"
        "print(pickle.loads(pickle.dumps(Model())).name(), Model.__module__, inspect.getsource(Model.name))"
    ),
    "the order of its output": "import os, sys\nprint('a', flush=True)\nprint('b', file=sys.stderr)\nos.write(1, b'c\\n')\nprint('d')",
    "output without an end of line": "import sys\nsys.stdout.write('no end')",
    "output of its children": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import sys; print(sys.argv)'])",
    "a closed output": "import sys\nsys.stdout.close()",
    "output sent elsewhere": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    print('x')\nprint(repr(out.getvalue()))",
    "input": "import sys\nprint(repr(sys.stdin.read()))",
    "handlers of signals": (
        "import signal\nprint([signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)])\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.set_wakeup_fd(-1))"
    ),
    "SIGINT": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)",
    "os._exit": "import os\nprint('lost?', flush=True)\nos._exit(7)",
    "warnings": "import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
    "the next file": "import beside\nprint(beside.WHO, beside.__file__)",
    "modules of the standard library": "import asyncio\n\n\nasync def main():\n    return 5\n\n\nprint(asyncio.run(main()))",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "beside.py").write_text("WHO = 'the file beside it'\n")
    (folder / "train.py").touch()
    return folder


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[ScriptWorker]:
    worker = ScriptWorker(Script(folder / "train.py", cwd=folder), folder)
    yield worker
    worker.close()


def under_python(script: Path) -> tuple[int, str]:
    """Exit code and output of plain Python."""
    with (script.parent / "plain").open("w+") as output:
        done = subprocess.run(
            [sys.executable, str(script)], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=script.parent, timeout=50
        )  # fmt: skip
        output.seek(0)
        return done.returncode, output.read()


def exit_code(ended: Ended) -> int:
    kind, message = ended.error
    if kind == "ProgramFailed":
        return int(message.removeprefix("train.py: exit code ").split()[0].rstrip(":;"))
    # A success has no metric here.
    return 0 if "ended without a metric" in message else -2 if kind == "KeyboardInterrupt" else 1


@pytest.mark.parametrize("case", CASES)
def test_a_script_does_what_it_does_under_plain_python(case: str, folder: Path, worker: ScriptWorker) -> None:
    script = folder / "train.py"
    script.write_text(CASES[case], encoding="latin-1")
    ended = worker.run()
    code, output = under_python(script)
    assert ended.output == output
    assert exit_code(ended) == code
    assert worker.process.poll() is None
