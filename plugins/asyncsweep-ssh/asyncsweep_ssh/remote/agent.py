"""The agent: one process on the host that has the channel to the controller, and the workers.

One thread, one selector. Nothing here waits for anything but the selector: what the controller does not take is kept up to a size,
beyond which workers are not heard until there is room. It ends, with everything below it, when the channel ends, when the controller
was silent for longer than the lease, when the keeper has ended, and when it is told to.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from asyncsweep.wire.stream import SETUP_LIMIT_BYTES, Decoder, StreamError, pack
from asyncsweep.worker import elsewhere, tree
from asyncsweep.worker.claims import new_claims
from asyncsweep.worker.secrets import learn_variables
from asyncsweep_ssh import frames
from asyncsweep_ssh.remote import files, keeper, looking
from asyncsweep_ssh.remote.printed import EVERY_S
from asyncsweep_ssh.remote.workers import RemoteJob, Worker

OUT_BYTES = 1 << 20
# With more than this unsent, nobody is shown what trials print.
_BUSY_BYTES = 1 << 16
_CHUNK = 1 << 16
_MOST_FILES = 10_000
_END_S = 5.0


def main(folder: str, path: list[str], mark: str, parent: int) -> int:
    """Serve the channel on file descriptors 0 and 1; gives an exit code.

    Args:
        folder: Ours alone.
        path: Where workers find what came with us.
        mark: What the controller looks for.
        parent: The keeper's process id.
    """
    return Agent(folder, path, parent).run(mark)


class Agent:
    """Serves one controller."""

    def __init__(self, folder: str, path: list[str], parent: int) -> None:
        self._decoder = Decoder(SETUP_LIMIT_BYTES)
        self._folder = folder
        self._folders = os.path.join(folder, "trials")
        self._path = path
        self._parent = parent
        self._lease_s = 60.0  # until OPEN says how long it is
        self._log_limit_bytes = 0
        self._limit_bytes = 0
        self._environment: dict[str, str] = {}
        self._cwd = os.path.expanduser("~")
        self._setup = b""
        self._workers: dict[str, Worker] = {}
        self._spares: deque[Worker] = deque()
        self._n_spares = 0
        self._shows = False
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._sends: deque[tuple[Worker, RemoteJob, Iterator[files.Part | files.LeftOut]]] = deque()
        self._on_its_way = 0
        self._code_fd: int | None = None
        self._claims = new_claims()
        self._ends = False
        self._heard_at = _now()
        self._said_at = _now()
        self._selector = selectors.DefaultSelector()
        self._later: deque[Callable[[], None]] = deque()
        self._wakes, self._waker = os.pipe()

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self, mark: str) -> int:
        self._in, self._out_fd = os.dup(0), os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)  # what somebody prints here is no frame
        for fd in (self._in, self._out_fd, self._wakes, self._waker):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, keeper.PARENT_ENDED):
            signal.signal(number, self._signalled)
        self._selector.register(self._in, selectors.EVENT_READ, self._read)
        self._selector.register(self._wakes, selectors.EVENT_READ, self._woken)
        self._put_out(f"\n{mark}{{}}\n".encode())
        threading.Thread(target=keeper.remove_left, args=(os.path.dirname(self._folder),), daemon=True).start()
        try:
            while not self._ends and os.getppid() == self._parent:
                for key, mask in self._selector.select(self._patience_s()):
                    key.data(mask)
                while self._later:
                    self._later.popleft()()
                self._reap()
                self._send_files()
                self._look_at_the_time()
        finally:
            self._end_all()
        return 0

    def _signalled(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._ends = True

    def _woken(self, _mask: int) -> None:
        try:
            while os.read(self._wakes, 4096):
                pass
        except BlockingIOError:
            return

    def _patience_s(self) -> float:
        longest_s = EVERY_S if self._shows and any(worker.jobs for worker in self._workers.values()) else 1.0
        return max(0.0, min(self._heard_at + self._lease_s - _now(), self._said_at + self._beat_s - _now(), longest_s))

    @property
    def _beat_s(self) -> float:
        return self._lease_s / 5

    def _look_at_the_time(self) -> None:
        now = _now()
        if now - self._heard_at > self._lease_s:
            self._ends = True
            return
        for worker in self._workers.values():
            self._show(worker)
        if now - self._said_at >= self._beat_s:
            self._say(frames.ALIVE)

    # -- the channel --------------------------------------------------------------------------------------------------

    def _read(self, _mask: int) -> None:
        try:
            data = os.read(self._in, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ends = True
            return
        self._heard_at = _now()
        try:
            self._decoder.feed(data)
            for frame in self._decoder:
                self._take(frame)
        except StreamError as error:
            self._fault("stream", str(error))

    def _say(self, *frame: Any) -> None:
        self._put_out(pack(frame))

    def _put_out(self, data: bytes) -> None:
        self._said_at = _now()
        self._out.append(data)
        self._out_bytes += len(data)
        self._write(0)

    def _write(self, _mask: int) -> None:
        while self._out:
            data = self._out[0]
            try:
                sent = os.write(self._out_fd, data)
            except BlockingIOError:
                self._watch_out(True)
                return
            except OSError:
                self._ends = True
                self._out.clear()
                return
            self._out_bytes -= sent
            if sent < len(data):
                self._out[0] = data[sent:]
            else:
                self._out.popleft()
        self._watch_out(False)

    def _watch_out(self, wanted: bool) -> None:
        is_watched = self._out_fd in self._selector.get_map()
        if wanted and not is_watched:
            self._selector.register(self._out_fd, selectors.EVENT_WRITE, self._write)
        elif is_watched and not wanted:
            self._selector.unregister(self._out_fd)

    def _fault(self, kind: str, reason: str) -> None:
        self._say(frames.FAULT, kind, reason)
        os.set_blocking(self._out_fd, True)  # these are the last words
        self._write(0)
        self._ends = True

    def _take(self, frame: list[Any]) -> None:
        tag, *parts = frame
        if tag == frames.TO_WORKER:
            self._to_worker(*parts)
        elif tag == frames.ALIVE:
            return
        elif tag == frames.JOB:
            self._job(*parts)
        elif tag == frames.SIGNAL:
            if parts[0] in self._workers:
                self._workers[parts[0]].signal(parts[1])
        elif tag == frames.SETUP:
            self._setup = parts[0]
        elif tag == frames.SET_UP:
            self._to_worker(parts[0], self._setup)
        elif tag == frames.START:
            self._start(*parts)
        elif tag == frames.TAKEN:
            self._on_its_way -= parts[0]
        elif tag == frames.PUT:
            self._put(*parts)
        elif tag == frames.OPEN:
            self._open(parts[0])
        elif tag == frames.CODE:
            self._code(*parts)
        elif tag == frames.TAKE_BACK:
            self._take_back(*parts)
        elif tag == frames.BYE:
            self._ends = True

    def _open(self, options: dict[str, Any]) -> None:
        self._lease_s = options["lease_s"]
        self._log_limit_bytes = options["log_limit_bytes"]
        self._limit_bytes = options["limit_bytes"]
        self._shows = options["shows"]
        self._environment = {**os.environ, **options["env"]}
        learn_variables(options["env"])
        python_path = [*self._path, *filter(None, [self._environment.get("PYTHONPATH")])]
        self._environment["PYTHONPATH"] = os.pathsep.join(python_path)
        os.mkdir(self._folders, 0o700)
        code = os.path.join(self._folder, "code")
        if options["cwd"] is not None:
            self._cwd = os.path.normpath(os.path.join(code, options["cwd"]))
        self._environment |= elsewhere.told(options["roots"], code)
        found = {
            **looking.info(),
            "folders": self._folders,
            "claims": None if self._claims is None else self._claims.fd,
            "code": code,
            "path": [*self._path, *(entry for entry in sys.path if not entry.startswith(self._folder))],
        }
        self._n_spares = options["spares"]
        if options["gpus"]:
            threading.Thread(target=self._find_gpus, args=(found,), daemon=True).start()
        else:
            self._tell_info(found)
        if options["cwd"] is None:
            self._start_spares()

    def _find_gpus(self, found: dict[str, Any]) -> None:
        try:
            found["gpus"] = looking.gpus()
        except LookupError as error:
            reason = str(error)
            self._later.append(lambda: self._fault(frames.GPUS, reason))
        else:
            self._later.append(lambda: self._tell_info(found))
        os.write(self._waker, b"\0")

    def _tell_info(self, found: dict[str, Any]) -> None:
        self._say(frames.INFO, found)

    def _code(self, data: bytes, is_last: bool) -> None:
        path = os.path.join(self._folder, "code.zip")
        try:
            if self._code_fd is None:
                self._code_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(self._code_fd, view) :]
            if is_last:
                os.close(self._code_fd)
                self._code_fd = None
                keeper.unpack(path, os.path.join(self._folder, "code"))
                os.unlink(path)
                self._start_spares()
        except OSError as error:
            self._fault(frames.DISK, _told(error, self._folder))
        except Exception as error:
            self._fault(frames.CODE_FAULT, f"{type(error).__name__}: {error}")

    # -- workers ------------------------------------------------------------------------------------------------------

    def _start_spares(self) -> None:
        """Start the workers that will be asked for as soon as the controller knows what is here: a round trip earlier."""
        try:
            while self._n_spares > 0:
                self._n_spares -= 1
                self._spares.append(self._new_worker("", {}))
        except (OSError, ValueError):
            self._n_spares = 0  # the one that is asked for next tells why

    def _spare(self) -> Worker | None:
        while self._spares:
            worker = self._spares.popleft()
            if not worker.has_ended():
                return worker
            worker.close()
        return None

    def _new_worker(self, name: str, environment: dict[str, str]) -> Worker:
        claims = () if self._claims is None else (self._claims.fd,)
        return Worker(name, self._folder, self._path, self._cwd, {**self._environment, **environment}, claims)

    def _start(self, name: str, environment: dict[str, str]) -> None:
        worker = None if environment else self._spare()
        try:
            worker = worker or self._new_worker(name, environment)
        except (OSError, ValueError) as error:
            self._say(frames.ENDED, name, f"no process can be started: {error}")
            return
        worker.name = name
        self._workers[name] = worker
        self._selector.register(worker.sock, selectors.EVENT_READ, lambda mask: self._hear(worker, mask))

    def _to_worker(self, name: str, data: bytes) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            worker.send(data)
            self._watch(worker)

    def _job(self, name: str, secret: int, trial: int, attempt: int, waits: bool) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            worker.jobs[secret] = RemoteJob(secret, trial, attempt)
            if not waits:
                self._say(frames.BEGUN, name, secret)

    def _take_back(self, name: str, secret: int, place: int) -> None:
        """Have an attempt that waits at a worker never begin, if it has not: whoever claims its place first has it."""
        worker = self._workers.get(name)
        if worker is None or self._claims is None:
            return  # its end is on its way
        did = self._claims.take(place)
        if did:
            worker.jobs.pop(secret, None)
        self._say(frames.TOOK, name, place, did)

    def _hear(self, worker: Worker, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            worker.send_more()
        if mask & selectors.EVENT_READ and self._hear_now(worker) is False:
            self._unwatch(worker)
            return
        self._watch(worker)

    def _hear_now(self, worker: Worker) -> bool | None:
        """Take what a worker said; None when that was nothing, False when it will say nothing more."""
        try:
            data = worker.sock.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self._show(worker)  # what was printed before that
        for piece in worker.splitter.feed(data):
            self._pass_on(worker, piece.data, piece.secret)
        return bool(data)

    def _show(self, worker: Worker) -> None:
        """Send what the attempt that runs there has printed, as far as it is worth it."""
        job = next(iter(worker.jobs.values()), None)
        if self._shows and job is not None and self._out_bytes < _BUSY_BYTES:
            piece = worker.printed.piece(job.secret, self._log_limit_bytes, _now())
            if piece is not None:
                self._say(frames.PRINTED, worker.name, job.secret, *piece)

    def _watch(self, worker: Worker) -> None:
        """Hear a worker only while there is room for what it says."""
        if worker.is_deaf:
            return
        mask = selectors.EVENT_WRITE if worker.has_unsent else 0
        if self._out_bytes < OUT_BYTES and worker.held_bytes < OUT_BYTES:
            mask |= selectors.EVENT_READ
        known = self._selector.get_map().get(worker.sock.fileno())
        if known is None and mask:
            self._selector.register(worker.sock, mask, lambda mask: self._hear(worker, mask))
        elif known is not None and not mask:
            self._selector.unregister(worker.sock)
        elif known is not None and known.events != mask:
            self._selector.modify(worker.sock, mask, known.data)

    def _pass_on(self, worker: Worker, data: bytes, secret: int | None) -> None:
        if worker.held is not None:
            worker.held.append((data, secret))
            worker.held_bytes += len(data)
            return
        job = None if secret is None else worker.jobs.get(secret)
        if job is None:
            for start in range(0, len(data), _CHUNK):
                self._say(frames.FROM_WORKER, worker.name, data[start : start + _CHUNK])
            return
        # Behind this message nothing of the attempt is sent: so its files go first.
        del worker.jobs[job.secret]
        worker.held = deque([(data, None)])
        worker.held_bytes += len(data)
        self._send_files_of(worker, job)

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            if not worker.is_over and worker.has_ended():
                worker.is_over = True
                while not worker.is_deaf and self._hear_now(worker):
                    pass  # what it said last
                self._unwatch(worker)
                rest = worker.splitter.rest()
                if rest:
                    self._pass_on(worker, rest, None)
                self._collect_last(worker)
        for worker in list(self._workers.values()):
            if worker.is_over and worker.held is None and not worker.jobs:
                self._farewell(worker)

    def _unwatch(self, worker: Worker) -> None:
        worker.is_deaf = True
        if worker.sock.fileno() in self._selector.get_map():
            self._selector.unregister(worker.sock)

    def _collect_last(self, worker: Worker) -> None:
        """What it printed last belongs to the attempt that it died in, the first that did not end."""
        job = next(iter(worker.jobs.values()), None)
        path = None if job is None else os.path.join(self._folders, str(job.trial), f"attempt-{job.attempt}.log")
        try:
            worker.collect(path, self._log_limit_bytes)
        except OSError as error:
            self._say(frames.UNKEPT, worker.name, _told(error, self._folder))
        if job is not None:
            worker.lost_job = job
            if worker.held is None:
                self._next_lost(worker)

    def _next_lost(self, worker: Worker) -> None:
        job, worker.lost_job = worker.lost_job, None
        worker.jobs.clear()
        if job is not None:
            worker.held = deque()
            self._send_files_of(worker, job)

    def _farewell(self, worker: Worker) -> None:
        del self._workers[worker.name]
        worker.close()
        self._say(frames.ENDED, worker.name, worker.ended)

    # -- files --------------------------------------------------------------------------------------------------------

    def _put(self, trial: int, path: str, data: bytes, is_first: bool) -> None:
        try:
            files.put(self._folders, trial, path, data, is_first)
        except OSError as error:
            self._fault(frames.DISK, _told(error, self._folder))

    def _send_files_of(self, worker: Worker, job: RemoteJob) -> None:
        folder = os.path.join(self._folders, str(job.trial))
        parts = files.parts_of(folder, f"attempt-{job.attempt}.log", self._limit_bytes, _MOST_FILES)
        self._sends.append((worker, job, parts))

    def _send_files(self) -> None:
        """A piece of each transfer in turn, while there is room; then what was held behind it."""
        while self._sends and self._on_its_way < frames.ON_ITS_WAY_BYTES and self._out_bytes < OUT_BYTES:
            worker, job, parts = self._sends.popleft()
            part = next(parts, None)
            if part is None:
                self._sent_files(worker, job)
                continue
            self._sends.append((worker, job, parts))
            if isinstance(part, files.Part):
                self._on_its_way += len(part.data)
                self._say(frames.FILE, worker.name, job.trial, *part)
            else:
                self._say(frames.LEFT_OUT, worker.name, job.trial, *part)
        if self._out_bytes < OUT_BYTES:
            for worker in self._workers.values():
                self._watch(worker)

    def _sent_files(self, worker: Worker, job: RemoteJob) -> None:
        if not any(other.trial == job.trial for one in self._workers.values() for other in one.jobs.values()):
            files.forget(self._folders, job.trial)
        held, worker.held, worker.held_bytes = worker.held, None, 0
        for data, secret in held or ():
            self._pass_on(worker, data, secret)
        if worker.held is None and worker.lost_job is not None:
            self._next_lost(worker)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _end_all(self) -> None:
        """End everything below us. The folder is the keeper's, or ours where that has ended before us."""
        left = [*self._workers.values(), *self._spares]
        for worker in left:
            worker.signal("KILL")
        until = time.monotonic() + _END_S
        while left and time.monotonic() < until:
            left = [worker for worker in left if not worker.has_ended()]
            time.sleep(0.01)
        if sys.platform == "linux" and tree.is_visible():
            tree.end(os.getpid())


def _told(error: OSError, folder: str) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space is left in {os.path.dirname(folder)}: make room there, or choose another folder with `folder`"
    return f"{error.filename or folder}: {error.strerror or error}"


def _now() -> float:
    """Seconds that go on while the machine sleeps, where it can tell: a lease runs out in that time too."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
