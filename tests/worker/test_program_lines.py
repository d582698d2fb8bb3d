"""Reports in lines: how lines are made of pieces, which of them are reports, and files that are followed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.worker.program_lines import LONGEST_LINE_BYTES, Followed, LineReport, Lines, Parser, groups_of

LOSS = ("loss",)


def parsed(line: str, metrics: tuple[str, ...] = LOSS, pattern: str | None = None) -> LineReport | None:
    return Parser(metrics, None if pattern is None else re.compile(pattern)).read(line.encode())


def test_lines_are_made_of_pieces_and_end_at_carriage_returns_too() -> None:
    lines = Lines()
    assert [lines.feed(b"on"), lines.feed(b"e\r\ntwo\rth"), lines.feed(b"ree"), lines.end()] == [
        [], [b"one", b"two"], [], [b"three"],
    ]  # fmt: skip


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_whole() -> None:
    lines = Lines()
    part = b"x" * (LONGEST_LINE_BYTES // 2 + 1)
    assert [lines.feed(part), lines.feed(part), lines.feed(b"y\nnext\n")] == [[], [], [b"next"]]


def test_a_line_that_is_too_long_in_one_piece_is_left_out() -> None:
    lines = Lines()
    assert lines.feed(b"x" * (LONGEST_LINE_BYTES + 1) + b"\nnext\n") == [b"next"]
    lines.feed(b"x" * (LONGEST_LINE_BYTES + 1))
    assert lines.end() == []


@pytest.mark.parametrize(
    ("line", "metrics", "expected"),
    [
        ('{"loss": 0.5}', LOSS, LineReport(None, {"loss": 0.5})),
        (' {"step": 3, "loss": 1, "lr": 2} \n', LOSS, LineReport(3, {"loss": 1.0})),
        ('{"step": 3.0, "loss": 1}', LOSS, LineReport(3, {"loss": 1.0})),
        ('{"step": -1, "loss": 1}', LOSS, LineReport(None, {"loss": 1.0})),
        ('{"time": 2, "loss": 1}', ("loss", "time"), LineReport(None, {"loss": 1.0, "time": 2.0})),
        ('{"time": 2}', ("loss", "time"), None),
        ('{"score": 2, "step": 1}', ("value",), LineReport(1, {"value": 2.0})),
        ('{"event": "start", "pid": 2}', ("value",), None),
        ('{"a": 1, "b": 2}', ("value",), None),
        ('{"loss": "1"}', LOSS, None),
        ('{"loss": true}', LOSS, None),
        ('{"loss": 1', LOSS, None),
        ('{"loss": 1' + "0" * 400 + "}", LOSS, None),
        ('{"loss": ' + "[" * 100_000, LOSS, None),
        ('[{"loss": 1}]', LOSS, None),
        ("0.5", ("value",), None),
        ("", LOSS, None),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_json_object_with_the_metric_is_a_report(
    line: str, metrics: tuple[str, ...], expected: LineReport | None
) -> None:
    assert parsed(line, metrics) == expected


@pytest.mark.parametrize(
    ("pattern", "line", "metrics", "expected"),
    [
        (r"epoch (?P<step>\d+) loss=(?P<loss>\S+)", "x epoch 7 loss=0.5, lr=1", LOSS, LineReport(7, {"loss": 0.5})),
        (r"loss=(\S+)", "loss=1e-3;", LOSS, LineReport(None, {"loss": 1e-3})),
        (r"loss=(?P<value>\S+) (?P<lr>\S+)", "loss=2 3", LOSS, LineReport(None, {"loss": 2.0})),
        (r"acc: (?P<accuracy>[\d.]+)%", "acc: 93.5%", ("value",), LineReport(None, {"value": 93.5})),
        (r"(?P<loss>\S+) (?P<time>\S+)?", "1 ", ("loss", "time"), LineReport(None, {"loss": 1.0})),
        (r"(?P<step>\S+) loss=(\S+)", "first loss=1", LOSS, LineReport(None, {"loss": 1.0})),
        (r"loss=(\S+)", "loss=none", LOSS, None),
        (r"loss=(\S+)", '{"loss": 1}', LOSS, None),
        (r"loss=(\S+)", "loss=nan", ("value",), None),
    ],
)  # fmt: skip
def test_a_match_with_the_metric_is_a_report(
    pattern: str, line: str, metrics: tuple[str, ...], expected: LineReport | None
) -> None:
    found = parsed(line, metrics, pattern)
    if line == "loss=nan":
        assert found is not None and found.metrics["value"] != found.metrics["value"]
    else:
        assert found == expected


def test_bytes_that_are_no_text_are_looked_at_too() -> None:
    assert Parser(LOSS, re.compile(r"loss=(\d)")).read(b"\xff\xfe loss=1 \x00") == LineReport(None, {"loss": 1.0})
    assert Parser(LOSS, None).read(b'{"loss": 1, "x": "\xff"}') is None


def test_the_last_value_of_each_metric_stays_and_what_is_beside_one() -> None:
    parser = Parser(("loss", "time"), None)
    for line in (b'{"loss": 2, "lr": 5}', b'{"level": 20}', b"hello", b'{"time": 1}', b'{"loss": 1}', b""):
        parser.read(line)
    assert parser.last == {"loss": 1.0, "lr": 5.0, "time": 1.0}
    assert (parser.count, parser.example) == (5, '{"loss": 1}')


@pytest.mark.parametrize(
    ("pattern", "metrics", "message"),
    [
        (r"(?P<a>.)(?P<b>.)", LOSS, r"no group for the metric 'loss'; write \(\?P<loss>...\)"),
        (r"(.)(.)", LOSS, r"no group for the metric 'loss'; write \(\?P<loss>...\)"),
        (r"(?P<loss>.)", ("loss", "time"), r"no group for the metric 'time'"),
        (r"(?P<a>.)(?P<b>.)", ("val/loss",), r"write \(\?P<value>...\) .*, or report it in lines of JSON"),
    ],
)
def test_a_pattern_without_a_group_for_a_metric_is_refused(
    pattern: str, metrics: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        groups_of(re.compile(pattern), metrics)


def test_a_followed_file_gives_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "log"
    followed = Followed(str(path))
    assert followed.read() == b""
    path.write_bytes(b"one")
    assert [followed.read(), followed.read()] == [b"one", b""]
    path.write_bytes(b"one two")
    assert followed.read() == b" two"


def test_a_followed_file_that_is_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    followed = Followed(str(path))
    path.write_bytes(b"long")
    followed.read()
    path.write_bytes(b"new")
    assert followed.read() == b"new"


def test_what_was_in_a_followed_file_before_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    followed = Followed(str(path))
    assert followed.read() == b""
    with path.open("ab") as file:
        file.write(b"new\n")
    assert followed.read() == b"new\n"


def test_a_followed_file_that_was_replaced_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    followed = Followed(str(path))
    path.write_bytes(b"newer\n")
    assert followed.read() == b"newer\n"


def test_a_pipe_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(TrialError, match="it is no regular file"):
        Followed(str(tmp_path / "log")).read()


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ('\x1b[32m{"loss": 0.5}\x1b[0m', None),
        ("\x1b]0;title\x07loss=\x1b[1;31m0.5\x1b[m, next", r"loss=(\S+)"),
        ("loss=0.5\x1b[K", r"loss=(\S+)"),
    ],
    ids=["json", "pattern", "cleared"],
)
def test_colours_in_a_line_do_not_matter(line: str, pattern: str | None) -> None:
    assert parsed(line, pattern=pattern) == LineReport(None, {"loss": 0.5})


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("epoch 3: loss=0.5", r'; to take it from such a line: pattern=r"loss[=: ]+(?P<loss>\S+)"'),
        (
            '{"val": {"loss": 0.5}}',
            '; by the name \'val.loss\' it would be found there: direction={"val.loss": "minimize"}',
        ),
        ("lossless", ""),
        ('{"loss": "low"}', ""),
        ("done", ""),
    ],
)
def test_a_line_that_names_the_metric_is_told_how_to_read_it(line: str, hint: str) -> None:
    parser = Parser(LOSS, None)
    parser.read(line.encode())
    assert parser.hint == hint
