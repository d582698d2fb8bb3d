"""A `Command` with real programs, in this process: what it takes, reports, says, and leaves behind."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from asyncsweep.errors import ConfigError, ProgramFailed, TrialError, TrialPruned
from asyncsweep.worker import program as programs
from asyncsweep.worker.command import Command
from tests.leaks import has_ended, open_fds
from tests.worker.attempts import Attempt


def sh(script: str, *arguments: str, **settings: Any) -> Command:
    """A shell script, in which braces are braces; its arguments are `$1` and so on."""
    return Command(["sh", "-c", script.replace("{", "{{").replace("}", "}}"), "sh", *arguments], **settings)


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Any:
    before = sorted(open_fds()), signal.getsignal(signal.SIGTERM)
    yield
    assert (sorted(open_fds()), signal.getsignal(signal.SIGTERM)) == before


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o700) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


# -- what is checked early ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "settings", "message"),
    [
        ("./train.sh --lr={lr} 'a b'", {}, r"expected a list, .*Command\(\['./train.sh', '--lr={lr}', 'a b'\]\)"),
        ("it's", {}, "expected a list"),
        ([], {}, "expected a list of texts"),
        (None, {}, "expected a list of texts"),
        (["sh", 3], {}, r"^argv\[1\]=3 is of type int; expected a text, '3'"),
        (["sh", "a\0"], {}, r"^argv\[1\].*NUL"),
        (["sh", []], {}, r"^argv\[1\]=\[\]: it is empty"),
        ([["sh"]], {}, r"^argv\[0\].*: the program is a text"),
        (["sh", "{print $1}{"], {}, r"^argv\[1\].*a lone '{' at character 10"),
        (["sh"], {"reports": "stdot"}, '^reports=\'stdot\': expected "stdout", "stderr", "both", None, or the path'),
        (["sh"], {"reports": 1}, "^reports=1: expected"),
        (["sh"], {"reports": None}, "^reports=None: then result_file="),
        (["sh"], {"reports": None, "result_file": "a.json", "pattern": "(.)"}, "^pattern=.*nothing to search it in"),
        (["sh"], {"reports": "{a"}, "^reports='{a'.*a lone"),
        (["sh"], {"pattern": "("}, "^pattern='\\(': it is no regular expression: "),
        (["sh"], {"pattern": b"(.)"}, "^pattern=.*not bytes"),
        (["sh"], {"pattern": 3}, "^pattern=3: it is no regular expression"),
        (["sh"], {"pattern": r"loss=.+"}, r"^pattern=.*no group for the metric.*\(\?P<loss>"),
        (["sh"], {"pattern": r"(?P<step>.)"}, "no group for the metric"),
        (["sh"], {"result_file": ""}, "^result_file='': expected a path"),
        (["sh"], {"cwd": "/not/there"}, "^cwd='/not/there': there is no such folder"),
        (["sh"], {"cwd": 1}, "^cwd=1: expected a path"),
        (["sh"], {"env": ["A=1"]}, "^env is of type list"),
        (["sh"], {"env": {"A=": "1"}}, "^env: 'A=' is no name"),
        (["sh"], {"env": {"A": 1}}, r"^env\['A'\] is of type int; expected a text"),
        (["sh"], {"env": {"A": "s3cret\0"}}, r"^env\['A'\] is a text with a NUL character; expected a text$"),
        (["no-such-program-here"], {}, r"^argv\[0\]: the program 'no-such-program-here' is in no folder of PATH, which is '/"),
        (["./no-such"], {}, r"^argv\[0\]: .*there is no '/.*/no-such'; a relative path begins at cwd=, which is '/"),
        (["/tmp"], {}, "'/tmp' is a folder"),
        ([""], {}, "a program has a name"),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
def test_a_wrong_argument_is_refused_at_once(argv: Any, settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Command(argv, **settings)


def test_a_program_that_is_not_executable_says_how_to_make_it_so(place: Path) -> None:
    program(place / "train.py", mode=0o600)
    with pytest.raises(
        ConfigError, match=r"not executable; run `chmod \+x` on it, or .*: \[\"python\", './train.py', ...\]"
    ):
        Command(["./train.py"])


def test_a_program_of_this_folder_is_not_on_the_search_path(place: Path) -> None:
    program(place / "train.sh")
    with pytest.raises(ConfigError, match=r"in no folder of PATH.*; there is one in .*: write './train.sh'"):
        Command(["train.sh"])


def test_a_relative_program_is_looked_for_in_cwd_and_in_the_search_path_of_env(place: Path) -> None:
    program(place / "a/train.sh", '#!/bin/sh\necho "{\\"loss\\": $(basename $PWD | wc -c)}"\n')
    assert Command(["./train.sh"], cwd=place / "a")(Attempt()) == {"loss": 2.0}
    assert Command(["train.sh"], env={"PATH": f"{place}/a:/usr/bin:/bin"})(Attempt())["loss"] > 2.0


def test_the_program_is_the_one_that_was_found_early(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(place / "train.sh", "#!/bin/sh\necho '{\"loss\": 1}'\n")
    command = Command(["./train.sh"])
    (place / "other").mkdir()
    monkeypatch.chdir(place / "other")
    assert command(Attempt()) == {"loss": 1.0}


def test_a_relative_cwd_is_the_one_of_when_the_command_was_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "a{b").mkdir()
    monkeypatch.chdir(place)
    command = sh("echo '{\"loss\": 1}' > r.json", cwd="a{{b", reports=None, result_file="r.json")
    monkeypatch.chdir("/")
    assert command(Attempt()) == {"loss": 1.0}


def test_an_unknown_placeholder_is_a_complaint_wherever_it_is() -> None:
    for command in (
        Command(["sh", "{lrr}"]),
        Command(["sh", ["--lr", "{lrr}"]]),
        Command(["sh"], cwd="/tmp/{lrr}"),
        Command(["sh"], reports="{lrr}.jsonl"),
        Command(["sh"], result_file="{lrr}"),
        Command(["sh"], env={"LR": "{lrr}"}),
    ):
        with pytest.raises(ConfigError, match=r"no parameter 'lrr' \(did you mean \{lr\}\?\)"):
            command.check(["lr", "depth"])


def test_a_pattern_that_lacks_a_metric_is_a_complaint_unless_a_file_has_the_result() -> None:
    with pytest.raises(ConfigError, match="no group for the metric 'loss'"):
        Command(["sh"], pattern="(.)(.)").check([], ["loss"])
    Command(["sh"], pattern="(.)(.)", result_file="a.json").check([], ["loss"])
    Command(["sh"], pattern="(?P<loss>.)(.)").check([], ["loss"])


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["sh", "-c", "secret"], "sh"),
        ([sys.executable, "train.py", "--token=secret"], f"{sys.executable} train.py"),
        (["/bin/sh", "./train.sh"], "/bin/sh ./train.sh"),
        (["env", "secret"], "env"),
    ],
)
def test_the_name_is_short_and_tells_no_arguments(argv: list[str], name: str) -> None:
    assert Command(argv).name == (name if len(name) <= 80 else f"...{name[-80:]}")


def test_a_command_is_immutable_and_can_be_pickled() -> None:
    command = pickle.loads(pickle.dumps(sh('echo "{\\"loss\\": $1}"', "{x}", pattern=r"loss.: (.*)}")))
    assert command(Attempt({"x": 4})) == {"loss": 4.0}
    with pytest.raises(AttributeError):
        command.reports = None


# -- what the program gets ---------------------------------------------------------------------------------------------


def test_the_parameters_are_in_the_environment_too(tmp_path: Path) -> None:
    script = 'echo "$ASYNCSWEEP_PARAMS"; echo "$ASYNCSWEEP_TRIAL $ASYNCSWEEP_ATTEMPT $MINE $HOME/"; '
    script += 'ls -d "$ASYNCSWEEP_TRIAL_DIR" "$ASYNCSWEEP_CHECKPOINT_DIR"'
    attempt = Attempt({"lr": 0.5, "text": "a\0ü"}, folder=tmp_path)
    sh(f"({script}) > '{tmp_path}/out'; echo '{{\"loss\": 1}}'", env={"MINE": "{trial}-{lr}"})(attempt)
    seen = (tmp_path / "out").read_text().splitlines()
    assert seen[1:] == [f"3 2 3-0.5 {os.environ['HOME']}/", f"{tmp_path}/3/artifacts", f"{tmp_path}/3/checkpoint"]
    assert json.loads(seen[0]) == attempt.params


def test_folders_that_the_program_did_not_use_are_gone(tmp_path: Path) -> None:
    sh('echo "{\\"loss\\": 1}"; touch "$ASYNCSWEEP_TRIAL_DIR/model"')(Attempt(folder=tmp_path))
    assert sorted(path.name for path in (tmp_path / "3").rglob("*")) == ["artifacts", "model"]


def test_it_has_nothing_to_read_and_no_terminal_to_ask_on() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b'{"loss": 2}\n')
    os.close(theirs)
    stdin = os.dup(0)
    os.dup2(ours, 0)
    os.close(ours)
    try:
        script = "echo '{\"loss\": 1}'; cat; (echo x > /dev/tty) 2> /dev/null && echo '{\"loss\": 3}'; true"
        assert sh(script)(Attempt()) == {"loss": 1.0}
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)


def test_a_python_program_reports_without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = "import sys; print(sys.stdout.write_through)"
    command = Command([sys.executable, "-c", code], pattern="(?P<value>True)|(?P<loss>.)", reports="stdout")
    with pytest.raises(TrialError, match="the last one 'True'"):
        command(Attempt())


def test_arguments_of_a_list_are_left_out_when_one_of_their_parameters_has_no_value() -> None:
    command = sh('echo "{\\"loss\\": $#}"', "{a}", ["--b", "{b}", "{a}"], ["--plain"])
    assert command(Attempt({"a": 1})) == {"loss": 2.0}
    assert command(Attempt({"a": 1, "b": 2})) == {"loss": 5.0}


def test_a_parameter_without_a_value_is_an_error_elsewhere() -> None:
    with pytest.raises(
        TrialError, match=r"argv\[4\]='\{b\}': the parameter 'b' has no value in this trial; put the arg"
    ):
        sh("", "{b}")(Attempt({"a": 1}))


@pytest.mark.parametrize(
    "settings", [{"env": {"X": "{x}"}}, {"cwd": "{x}"}, {"result_file": "{x}"}, {"reports": "./{x}"}]
)
def test_a_nul_character_is_an_error_of_the_trial_that_tells_where(settings: Any) -> None:
    with pytest.raises(TrialError, match=r"^(env\['X'\]|cwd|result_file|reports)=.* has a NUL character"):
        Command(["sh"], **settings)(Attempt({"x": "a\0b"}))


def test_a_nul_character_in_an_argument_is_an_error_of_the_trial() -> None:
    with pytest.raises(TrialError, match=r"^argv\[4\]=.* has a NUL character.*ASYNCSWEEP_PARAMS"):
        sh("", "{x}")(Attempt({"x": "a\0b"}))


def test_an_argument_that_is_too_long_is_an_error_that_names_it() -> None:
    with pytest.raises(
        ProgramFailed,
        match=r"cannot be started.*too long.* is the variable ASYNCSWEEP_PARAMS .*, the longest parameter 'x'",
    ):
        sh("", "{x}")(Attempt({"x": "a" * 300_000, "y": ""}))


def test_a_text_that_is_no_unicode_is_an_error_of_the_trial() -> None:
    with pytest.raises(TrialError, match=r"sh cannot be started: 'a\\ud800' is no valid Unicode text"):
        sh("", "{x}")(Attempt({"x": "a\ud800"}))


def test_a_script_without_an_interpreter_is_an_error_that_says_so(place: Path) -> None:
    program(place / "a", "echo 1\n")
    with pytest.raises(ProgramFailed, match=r"a cannot be started: .*first line that names its interpreter"):
        Command(["./a"])(Attempt())
    program(place / "b", "#!/no/such/interpreter\n")
    with pytest.raises(
        ProgramFailed, match=r"b cannot be started: .*the interpreter that its first line names is not there"
    ):
        Command(["./b"])(Attempt())


def test_a_program_that_only_a_trial_tells_is_looked_up_then() -> None:
    assert Command(["{tool}", "-c", 'echo "{{\\"loss\\": 1}}"'])(Attempt({"tool": "sh"})) == {"loss": 1.0}
    with pytest.raises(ProgramFailed, match=r"argv\[0\]: the program 'no-such' is in no folder of PATH"):
        Command(["{tool}"])(Attempt({"tool": "no-such"}))
    with pytest.raises(ProgramFailed, match="there is no folder '/no/such' to run it in"):
        Command(["sh"], cwd="{x}")(Attempt({"x": "/no/such"}))


# -- what it says ------------------------------------------------------------------------------------------------------


def test_lines_of_json_are_reports_and_the_last_is_the_result() -> None:
    attempt = Attempt()
    script = 'echo \'{"loss": 3, "step": 5}\'; echo hello; echo \'{"loss": 1}\'; printf \'{"loss": 2, "lr": 7}\''
    assert sh(script)(attempt) == {"loss": 2.0, "lr": 7.0}
    assert attempt.said == [(5, 3.0, None), (6, 1.0, None), (7, 2.0, None)]


@pytest.mark.parametrize(("reports", "expected"), [("stdout", [1.0]), ("stderr", [2.0]), ("both", [1.0, 2.0])])
def test_reports_are_looked_for_on_the_streams_that_are_named(
    reports: str, expected: list[float], capfd: pytest.CaptureFixture[str]
) -> None:
    attempt = Attempt()
    sh('echo "{\\"loss\\": 1}"; echo "{\\"loss\\": 2}" >&2', reports=reports)(attempt)
    assert sorted(value for _, value, _ in attempt.said) == expected
    assert capfd.readouterr() == ('{"loss": 1}\n', '{"loss": 2}\n')


def test_output_is_passed_on_byte_by_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    data = bytes(range(256)) * 20_000 + b"\r\n"
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000 + b'\\r\\n'); print('{{\"loss\": 1}}')"
    assert Command([sys.executable, "-c", code])(Attempt()) == {"loss": 1.0}
    assert capfdbinary.readouterr().out == data + b'{"loss": 1}\n'


def test_matches_of_the_pattern_are_reports() -> None:
    attempt = Attempt()
    command = sh("printf 'epoch 1 loss=3,\\repoch 4 loss=2,\\r'", pattern=r"epoch (?P<step>\d+) loss=(?P<loss>\S+)")
    assert command(attempt) == {"loss": 2.0}
    assert attempt.said == [(1, 3.0, None), (4, 2.0, None)]


def test_a_file_is_followed_while_the_program_runs(tmp_path: Path) -> None:
    """The program ends only because it is pruned for what it wrote to the file."""
    script = 'echo \'{"loss": 3}\' > "$ASYNCSWEEP_TRIAL_DIR/log.jsonl"; exec sleep 300'
    attempt = Attempt(folder=tmp_path, prune_at=0)
    with pytest.raises(TrialPruned):
        sh(script, reports="{trial_dir}/log.jsonl")(attempt)
    assert attempt.said == [(0, 3.0, None)]


def test_what_a_program_writes_last_to_a_followed_file_is_read(tmp_path: Path) -> None:
    command = sh("i=0; while [ $i -lt 30000 ]; do echo '{\"loss\": 1, \"text\": \"0123456789012345678901234567890123456789\"}'; "
                 "i=$((i+1)); done > log.jsonl; printf '{\"loss\": 2}' >> log.jsonl", reports="./log.jsonl", cwd=tmp_path)  # fmt: skip
    assert command(Attempt()) == {"loss": 2.0}


def test_a_result_file_has_the_last_word(tmp_path: Path) -> None:
    attempt = Attempt()
    script = 'echo \'{"loss": 3, "a": 1}\'; echo \'{"loss": 1, "b": 2}\' > result.json'
    assert sh(script, result_file="result.json", cwd=tmp_path)(attempt) == {"loss": 1.0, "a": 1.0, "b": 2.0}
    assert attempt.said == [(0, 3.0, None)]


def test_the_rows_of_a_result_file_are_reports_when_there_were_no_others(tmp_path: Path) -> None:
    attempt = Attempt(folder=tmp_path)
    command = sh('printf "loss\\n2\\n1\\n" > "$1"', "{trial_dir}/m.csv", reports=None, result_file="{trial_dir}/m.csv")
    assert command(attempt) == {"loss": 1.0}
    assert attempt.said == [(0, 2.0, None), (1, 1.0, None)]


def test_the_rows_of_a_result_file_are_no_reports_beside_others(tmp_path: Path) -> None:
    attempt = Attempt()
    script = "echo '{\"loss\": 3, \"step\": 9}'; printf 'loss\\n2\\n' > r.csv"
    assert sh(script, result_file="r.csv", cwd=tmp_path)(attempt) == {"loss": 2.0}
    assert attempt.said == [(9, 3.0, None)]


def test_a_result_file_of_an_earlier_attempt_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("1")
    with pytest.raises(TrialError, match="it is of before this attempt"):
        sh("true", reports=None, result_file="result.json", cwd=tmp_path)(Attempt())


@pytest.mark.parametrize(
    ("script", "settings", "message"),
    [
        (
            "true",
            {},
            "did not tell the metric 'loss': looked for a line such as {\"loss\": 0.1} on stdout, where nothing was",
        ),
        ("echo '{\"los\": 1}'; echo", {}, "on stdout, which had 1 line, the last one '{\"los\": 1}'"),
        ("true", {"pattern": "a(.)", "reports": "both"}, r"looked for a match of 'a\(.\)' on stdout and stderr, "),
        ("true", {"reports": "./x.jsonl"}, "in the file './x.jsonl', where nothing was written"),
    ],
)
def test_a_missing_metric_is_an_error_that_tells_what_was_looked_for(script: str, settings: Any, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        sh(script, **settings)(Attempt())


def test_a_line_with_several_numbers_is_answered_with_how_to_name_the_metric() -> None:
    with pytest.raises(TrialError, match=r'name the metric: Sweep\(direction={"loss": "minimize"}\)$'):
        sh('echo \'{"a": 1, "b": 2}\'')(Attempt(metrics=("value",)))


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("exit 3", "sh: exit code 3"),
        ("kill -SEGV $$", "sh: killed by SIGSEGV"),
        ("kill -40 $$", "sh: killed by signal 40"),
    ],
)
def test_a_bad_end_is_an_error_with_the_last_lines(end: str, message: str) -> None:
    with pytest.raises(ProgramFailed, match=re.escape(message) + "; its last lines:\nout\nerr$"):
        sh(f"echo '{{\"loss\": 1}}' > /dev/null; echo out; echo err; {end}")(Attempt())


def test_a_pruned_program_is_ended_politely_and_says_its_last_words(capfd: pytest.CaptureFixture[str]) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo '{\"loss\": 1}'; while :; do sleep 0.01; done"
    with pytest.raises(TrialPruned):
        sh(script)(Attempt(prune_at=0))
    assert capfd.readouterr().out == '{"loss": 1}\nbye\n'


def test_a_report_of_a_program_that_has_ended_already_is_judged_too() -> None:
    attempt = Attempt(prune_at=1)
    with pytest.raises(TrialPruned):
        sh("echo '{\"loss\": 1}'; echo '{\"loss\": 2}'; echo '{\"loss\": 3}'; exit 3")(attempt)
    assert attempt.said == [(0, 1.0, None), (1, 2.0, None)]


_STAYS = "trap '' TERM; echo $$ >> pids; exec sleep 300"


def test_nothing_of_a_pruned_program_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ignores SIGTERM, and so do its children, in other sessions, forked twice, and with an empty environment."""
    monkeypatch.setattr(programs, "GRACE_S", 0.2)
    script = """trap '' TERM
    setsid sh -c "$1" & (setsid sh -c "$1" &) ; env -i setsid sh -c "$1" & sh -c "$1" &
    while [ $(cat pids 2> /dev/null | wc -l) -lt 4 ]; do sleep 0.01; done
    echo $$ >> pids; echo '{"loss": 1}'; while :; do sleep 300; done"""
    with pytest.raises(TrialPruned):
        sh(script, _STAYS.replace("{", "{{"), cwd=tmp_path)(Attempt(prune_at=0))
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 5 and all(has_ended(pid) for pid in pids)


def test_what_a_program_leaves_running_with_its_output_does_not_hang_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "LINGER_S", 0.2)
    command = sh(
        '(setsid sh -c "$1" &); while ! [ -s pids ]; do sleep 0.01; done; echo "{\\"loss\\": 1}"', _STAYS, cwd=tmp_path
    )
    assert command(Attempt()) == {"loss": 1.0}
    assert has_ended(int((tmp_path / "pids").read_text()))


def test_what_was_printed_before_the_end_is_heard_whoever_holds_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LINGER_S", 0.0)
    argv = ["sh", "-c", "sleep 300 & echo said"]
    with programs.Program(argv, "/bin/sh", None, os.environ, ["stdout"]) as running:
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert list(running.output()) == [("stdout", b"said\n")]
        assert running.ending() == ""


def test_a_program_behind_the_first_one_may_finish_what_it_writes(tmp_path: Path) -> None:
    """As `exec > >(tee log)` does it in a script of bash: the script ends first."""
    script = "mkfifo pipe; (cat pipe; sleep 0.1; echo '{\"loss\": 1}') & echo x > pipe; exec > /dev/null"
    assert sh(script, cwd=tmp_path)(Attempt()) == {"loss": 1.0}


def test_a_program_that_is_ended_by_an_error_of_ours_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    before = psutil.Process().children()
    with pytest.raises(TrialError, match="it is no regular file"):
        sh("exec sleep 300", reports="./log", cwd=tmp_path)(Attempt())
    assert psutil.Process().children() == before


def test_it_runs_in_other_threads_than_the_main_one_too() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(sh("echo '{\"loss\": 1}'"), Attempt()).result() == {"loss": 1.0}


class Interrupted(Attempt):
    """While it waits for a verdict, the worker is told to end, and no verdict comes."""

    def should_prune(self) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return not threading.Event().wait(60)


def test_the_end_of_the_worker_is_the_programs_first_whatever_we_wait_for(tmp_path: Path) -> None:
    heard: list[list[str]] = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(os.listdir(tmp_path)))
    try:
        script = "trap 'sleep 0.1; touch saved; exit 0' TERM; echo '{\"loss\": 1}'; while :; do sleep 0.01; done"
        sh(script, cwd=tmp_path)(Interrupted())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [["saved"]]


def test_a_command_whose_trials_would_share_a_file_is_a_complaint() -> None:
    for settings in ({"reports": "./log.jsonl"}, {"reports": None, "result_file": "/tmp/r.json"}):
        command = Command(["sh"], **settings)
        command.check([], ["loss"])
        with pytest.raises(ConfigError, match=r"2 trials run at a time.*\{trial_dir\}/"):
            command.check([], ["loss"], 2)
    Command(["sh"], reports="./log.jsonl", cwd="{trial_dir}").check([], ["loss"], 2)


def test_a_missing_metric_says_how_the_last_line_is_read() -> None:
    with pytest.raises(TrialError, match=r"the last one 'loss=0.5'; to take it from such a line: pattern="):
        sh("echo loss=0.5")(Attempt())
