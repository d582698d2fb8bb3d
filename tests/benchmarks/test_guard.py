"""The guard counts the same each time, and says which count has grown. What is counted is judged by `make bench-guard`."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.journal import format as layout
from asyncsweep.journal.files import OsFiles
from benchmarks.guard import __main__ as guard
from benchmarks.guard import counters, judging, syscalls
from benchmarks.guard.objectives import MARK
from benchmarks.guard.tracing import Tracer

PYTHON = guard._PYTHON
IN_LOOP = {"events", "journal_writes", "journal_bytes", "blocks", "calls", "instructions"}
IN_PROCESS = IN_LOOP | {"link_bytes", "worker_calls", "worker_instructions"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where counts are accepted."""
    file = tmp_path / "counts.json"
    monkeypatch.setattr(judging, "FILE", file)
    return file


def counting(monkeypatch: pytest.MonkeyPatch, **counts: float) -> None:
    """From now on the guard counts this."""
    names = {"in_loop": {"syscalls": {"write": 2.0}}} if "syscalls" in counts else {}
    monkeypatch.setattr(guard, "measure", lambda cases, with_syscalls: ({"in_loop": dict(counts)}, names))


def words(**counts: float) -> dict[str, str]:
    """The verdicts on counts of which each was 100 when it was accepted."""
    accepted = {"in_loop": dict.fromkeys(counts, 100.0)}
    return {verdict.name: verdict.word for verdict in judging.judge({"in_loop": counts}, accepted)}


# -- judging ----------------------------------------------------------------------------------------------------------


def test_a_count_within_its_allowance_is_the_same() -> None:
    assert words(calls=100.19, journal_bytes=100.3, blocks=96.0) == {
        "calls": "same",
        "journal_bytes": "same",
        "blocks": "same",
    }


def test_a_count_beyond_its_allowance_has_grown_or_shrunk() -> None:
    assert words(calls=100.5, instructions=90.0) == {"calls": "worse", "instructions": "better"}


def test_a_small_count_has_an_allowance_in_numbers() -> None:
    allowed, beyond = ({"a": {"syscalls": value}} for value in (1.19, 1.21))
    accepted = {"a": {"syscalls": 1.0}}
    assert [judging.judge(measured, accepted)[0].word for measured in (allowed, beyond)] == ["same", "worse"]


def test_what_one_side_lacks_is_new_or_skipped() -> None:
    found = judging.judge({"a": {"calls": 1.0}}, {"a": {"syscalls": 1.0}})
    assert [(verdict.name, verdict.word) for verdict in found] == [("calls", "new"), ("syscalls", "skipped")]


# -- the command ------------------------------------------------------------------------------------------------------


def test_nothing_is_compared_before_something_is_accepted(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counting(monkeypatch, calls=100.0)
    assert guard.main([]) == 0
    assert f"Nothing is accepted for Python {PYTHON} yet" in capsys.readouterr().out


def test_a_count_that_has_grown_fails_and_says_how_to_accept_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counting(monkeypatch, calls=100.0, events=3.0)
    assert guard.main(["--accept"]) == 0
    counting(monkeypatch, calls=110.0, events=3.0)
    assert guard.main([]) == 1
    said = capsys.readouterr().out
    assert "in_loop: calls, controller: 110, accepted 100: +10.00%, allowed +0.30%" in said
    assert "python -m benchmarks.guard --accept, and commit benchmarks/guard/counts.json" in said


def test_more_system_calls_are_told_by_their_names(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(syscalls, "why_not", lambda: "")
    counting(monkeypatch, syscalls=1.0)
    guard.main(["--accept"])
    counting(monkeypatch, syscalls=2.0)
    assert guard.main([]) == 1
    assert "now write 2" in capsys.readouterr().out


def test_a_smaller_count_passes_and_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counting(monkeypatch, calls=100.0)
    guard.main(["--accept"])
    counting(monkeypatch, calls=90.0)
    assert guard.main([]) == 0
    assert "1 counts are smaller" in capsys.readouterr().out


def test_other_libraries_are_named_where_a_count_has_grown(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judging.store(PYTHON, {"libraries": {"anyio": "0.1"}, "cases": {"in_loop": {"calls": 1.0}}}, file)
    counting(monkeypatch, calls=2.0)
    assert guard.main([]) == 1
    assert "accepted with anyio 0.1; here are" in capsys.readouterr().out


def test_accepting_keeps_other_pythons_other_cases_and_what_cannot_be_counted_here(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"libraries": {}, "cases": {"in_loop": {"calls": 7.0}}}
    known = {"in_loop": {"calls": 1.0, "syscalls": 4.0}, "process": {"calls": 5.0}}
    judging.store("3.99", other, file)
    judging.store(PYTHON, {"libraries": {}, "cases": known}, file)
    counting(monkeypatch, calls=2.0)
    guard.main(["--accept", "--no-strace"])
    stored = json.loads(file.read_text(encoding="utf-8"))
    assert stored["3.99"] == other
    assert stored[PYTHON]["cases"] == {"in_loop": {"calls": 2.0, "syscalls": 4.0}, "process": {"calls": 5.0}}


def test_counting_that_fails_is_no_regression_and_no_success(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(cases: Any, with_syscalls: bool) -> Any:
        raise RuntimeError("strace has seen no trials")

    monkeypatch.setattr(guard, "measure", measure)
    assert guard.main(["--accept"]) == 3
    assert "counting failed: strace has seen no trials" in capsys.readouterr().err
    assert not file.exists()


def test_an_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        guard.main(["--cases", "in_lop"])
    assert refused.value.code == 2
    assert "'in_lop' is none of in_loop, process, reports" in capsys.readouterr().err


def test_every_promised_count_is_taken(file: Path) -> None:
    assert guard.main(["--accept", "--cases", "in_loop,process", "--no-strace"]) == 0
    counted = json.loads(file.read_text(encoding="utf-8"))[PYTHON]["cases"]
    assert {name: set(counts) for name, counts in counted.items()} == {"in_loop": IN_LOOP, "process": IN_PROCESS}
    assert all(value > 0 for counts in counted.values() for value in counts.values())


def test_the_counts_of_this_checkout_are_accepted_for_the_python_of_its_ci() -> None:
    found = judging.load("3.11", Path(guard.__file__).with_name("counts.json"))
    assert found is not None
    assert {name: set(counts) for name, counts in found["cases"].items()} == {
        "in_loop": IN_LOOP | {"syscalls"},
        "process": IN_PROCESS | {"syscalls", "worker_syscalls"},
        "reports": IN_PROCESS | {"syscalls", "worker_syscalls"},
    }


# -- counting ---------------------------------------------------------------------------------------------------------


def traced(call: Any) -> tuple[int, int]:
    tracer = Tracer()
    tracer.start()
    call()
    tracer.stop()
    return tracer.counts


def test_calls_and_instructions_of_our_code_are_counted_alike_each_time() -> None:
    _, first, second = (
        traced(lambda: layout.mark(0)) for _ in range(3)
    )  # from Python 3.12 on the first call shows no instructions
    assert first == second
    assert first[0] == 4  # mark, and in it two `pack` and a `crc32`
    assert first[1] > first[0]


def test_what_others_run_is_not_counted() -> None:
    assert traced(lambda: json.dumps({"a": [1, 2, 3]})) == (0, 0)


def test_writes_of_a_journal_and_bytes_of_our_sockets_are_counted(tmp_path: Path) -> None:
    traffic = counters.Traffic()
    ours: dict[str, Any] = {"__name__": "asyncsweep.link.made_up", "socket": socket}
    with traffic.counted():
        file = OsFiles().create(tmp_path / "journal")
        file.append(b"abc")
        file.close()
        one, other = eval("socket.socketpair()", ours)
        others = socket.socketpair()
    one.sendall(b"12345")
    other.sendall(b"123")
    assert one.recv_into(bytearray(9)) == 3
    others[0].sendall(b"not counted")
    for sock in (one, other, *others):
        sock.close()
    assert (traffic.journal_writes, traffic.link_bytes) == (1, 8)


def test_time_stands_still_for_as_long_as_it_is_told_to() -> None:
    with counters.stillness():
        assert time.monotonic() == time.monotonic()
    assert time.monotonic() != counters._STANDING_S


LOG = f"""\
100 execve("/usr/bin/python", ["python"]) = 0
200 access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)
100 write(7, "before", 6) = 6
200 access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)
200 access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)
200 access("{MARK}", F_OK <unfinished ...>
100 epoll_wait(3,  <unfinished ...>
200 <... access resumed>)             = -1 ENOENT (No such file or directory)
200 sendto(11, "x", 1, 0, NULL, 0 <unfinished ...>
100 <... epoll_wait resumed>[{{events=EPOLLIN, data={{u32=9, u64=9}}}}], 3, 50) = 1
200 <... sendto resumed>)             = 1
100 epoll_wait(3, [], 3, 50)          = 0
100 epoll_wait(3, [], 3, 0)           = 0
100 futex(0x7f, FUTEX_WAIT_PRIVATE, 0, NULL) = 0
101 fsync(7)                          = 0
100 --- SIGCHLD {{si_signo=SIGCHLD}} ---
100 write(7, "within", 6)             = 6
200 access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)
100 write(7, "within", 6)             = 6
200 access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)
100 write(7, "after", 5)              = 5
"""


def test_system_calls_are_counted_between_marks_in_two_threads_alone() -> None:
    counts, names = syscalls.read(LOG)
    assert counts == {"syscalls": 2.0, "worker_syscalls": 0.5}
    assert names == {"syscalls": {"epoll_wait": 1.0, "write": 1.0}, "worker_syscalls": {"sendto": 0.5}}


def test_a_log_without_trials_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="strace has seen no trials"):
        syscalls.read('100 execve("/usr/bin/python", ["python"]) = 0\n')
