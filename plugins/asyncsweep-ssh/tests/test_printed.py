"""What a trial prints on a host is seen while it runs: in small pieces, a few times a second, without secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.frames import PRINTED_BYTES
from asyncsweep_ssh.remote.printed import EVERY_S, Piece, Printed
from asyncsweep_ssh.tail import KEPT_BYTES, Tail
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Server

import asyncsweep as sw
from asyncsweep.worker.capture import Output

LIMIT = 1 << 24
CODE = Path(__file__).parent / "code"


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """The output of a worker, as it is opened for one."""
    fd = os.open(tmp_path / "output", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield fd
    os.close(fd)


def test_a_piece_is_sent_when_there_is_something_new_and_no_more_than_four_a_second(fd: int) -> None:
    printed = Printed(fd)
    assert printed.piece(7, LIMIT, 0.0) is None
    os.write(fd, b"one\n")
    assert printed.piece(7, LIMIT, 0.1) == Piece(0, b"one\n")
    os.write(fd, b"two\n")
    assert printed.piece(7, LIMIT, 0.1 + EVERY_S / 2) is None
    assert printed.piece(7, LIMIT, 0.1 + EVERY_S) == Piece(4, b"two\n")
    assert printed.piece(7, LIMIT, 9.0) is None


def test_the_next_attempt_begins_anew(fd: int) -> None:
    printed = Printed(fd)
    os.write(fd, b"of the first\n")
    assert printed.piece(7, LIMIT, 0.0) == Piece(0, b"of the first\n")
    os.ftruncate(fd, 0)
    assert printed.piece(7, LIMIT, 1.0) is None
    os.write(fd, b"2\n")
    assert printed.piece(8, LIMIT, 2.0) == Piece(0, b"2\n")


def test_of_much_the_end_is_shown_whatever_holes_are_in_it(fd: int) -> None:
    printed = Printed(fd)
    lines = b"".join(b"%07d\n" % n for n in range(20_000))
    os.write(fd, lines)
    assert printed.piece(7, 65_536, 0.0) == Piece(len(lines) - PRINTED_BYTES, lines[-PRINTED_BYTES:])
    os.write(fd, b"last\n")
    assert printed.piece(7, 65_536, 1.0) == Piece(len(lines), b"last\n")


def test_a_secret_is_hidden_also_where_it_comes_in_two_pieces(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTS_API_KEY", "canary-canary-9")
    printed = Printed(fd)
    os.write(fd, b"key: canary-c")
    first = printed.piece(7, LIMIT, 0.0)
    os.write(fd, b"anary-9 that is\n")
    second = printed.piece(7, LIMIT, 1.0)
    assert first == Piece(0, b"key: " + b"*" * 8)
    assert second == Piece(13, b"*" * 7 + b" that is\n")


def test_a_tail_gives_what_it_has_from_a_place_on() -> None:
    tail = Tail()
    assert tail.look(0, 100) == Output(b"", 0, 0)
    tail.add(0, b"abc")
    tail.add(3, b"def")
    assert tail.look(0, 100) == Output(b"abcdef", 0, 6)
    assert tail.look(2, 3) == Output(b"cde", 2, 6)
    assert tail.look(6, 100) == Output(b"", 6, 6)
    tail.add(10, b"xyz")
    assert tail.look(4, 100) == Output(b"ef", 4, 13)
    assert tail.look(6, 100) == Output(b"xyz", 10, 13)


def test_a_tail_keeps_the_end() -> None:
    tail = Tail()
    pieces = [bytes([65 + n % 26]) * PRINTED_BYTES for n in range(40)]
    for n, piece in enumerate(pieces):
        tail.add(n * PRINTED_BYTES + n // 20, piece)  # with a gap in the middle
    total = 40 * PRINTED_BYTES + 1
    assert tail.look(0, 1) == Output(bytes(pieces[24][:1]), total - KEPT_BYTES, total)
    assert tail.look(total - 5, 100) == Output(pieces[-1][-5:], total - 5, total)


@pytest.mark.parametrize(
    ("offset", "data"),
    [(2, b"x"), (-1, b"x"), (3.0, b"x"), (True, b"x"), (3, "x"), (3, bytes(PRINTED_BYTES + 1)), (2**62, b"")],
)
def test_what_no_host_of_ours_sends_is_refused(offset: object, data: object) -> None:
    tail = Tail()
    tail.add(0, b"abc")
    with pytest.raises(ValueError, match="what was printed"):
        tail.add(offset, data)  # type: ignore[arg-type]
    assert tail.look(0, 9) == Output(b"abc", 0, 3)


@pytest.mark.anyio
async def test_lines_are_seen_while_a_trial_runs_and_its_log_has_them_all(
    keys: Keys, near: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CODE))
    go_on = tmp_path / "go on"
    executor = SshExecutor([{"host": "near", "python": BARE_PYTHON}], code=CODE, config=str(keys.config))
    space = {"file": sw.Categorical([str(go_on)])}
    sweep = sw.Sweep(
        "ssh_objectives:waits", space, sampler="random", executor=executor, n_trials=1, directory=tmp_path / "sweep"
    )
    with anyio.fail_after(30):
        async with sweep.start() as run:
            seen, offset = b"", 0
            while b"begun\n" not in seen:
                piece = await run.log(0, offset=offset) if run.trials else None
                if piece is not None:
                    seen, offset = seen + piece.data, piece.next_offset
                await anyio.sleep(0.01)
            assert (piece is not None and piece.is_over, run.trials[0].state) == (False, sw.State.RUNNING)
            go_on.touch()
            await run.result()
            last = await run.log(0)
    assert seen == b"begun\n"
    assert (last.data, last.is_over) == (b"begun\ngone on\n", True)
