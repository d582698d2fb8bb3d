"""Result files: each format, what is odd about them, and what is of an earlier attempt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asyncsweep.errors import TrialError
from asyncsweep.worker import result_file
from asyncsweep.worker.readings import MOST_FURTHER, MOST_REPORTS, Found
from asyncsweep.worker.result_file import ResultFile

LOSS = ("loss",)
VALUE = ("value",)
BOTH = ("loss", "time")


def read(path: Path, content: str | bytes, metrics: tuple[str, ...] = LOSS) -> Found:
    """What is found in a file that was written while the program ran."""
    file = ResultFile(str(path))
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return file.read(metrics)


@pytest.mark.parametrize(
    ("name", "content", "metrics", "expected"),
    [
        ("a.json", '{"loss": 0.5}', LOSS, {"loss": 0.5}),
        ("a.json", " 0.5\n", LOSS, {"loss": 0.5}),
        ("a.json", '\ufeff{"loss": 1, "name": "x", "ok": true, "acc": 2}', LOSS, {"loss": 1.0, "acc": 2.0}),
        ("a.json", '{"time": 2, "loss": 1}', BOTH, {"loss": 1.0, "time": 2.0}),
        ("a.json", '{"val": {"loss": 3}}', ("val.loss",), {"val.loss": 3.0}),
        ("a.json", '{"accuracy": 0.5, "note": "one number"}', VALUE, {"value": 0.5}),
        ("a.json", '{"value": 0.5, "more": 1}', VALUE, {"value": 0.5, "more": 1.0}),
        ("a.json", '[{"loss": 2}, {"loss": 1}]', LOSS, {"loss": 1.0}),
        ("score", "1e-3\n", LOSS, {"loss": 1e-3}),
        ("score.txt", '{"loss": 4}', LOSS, {"loss": 4.0}),
        ("a.jsonl", '{"loss": 2}\n\n{"time": 9}\n{"loss": 1}\n{"lo', BOTH, {"loss": 1.0, "time": 9.0}),
        ("a.csv", "loss,time\n2,\n,5\n1,\n", BOTH, {"loss": 1.0, "time": 5.0}),
        ("a.csv", "epoch;loss\r\n1;0.5\r\n", LOSS, {"loss": 0.5, "epoch": 1.0}),
        ("a.tsv", "step\tscore\n1\t0.5\n", VALUE, {"value": 0.5}),
        ("a.csv", '"loss","text"\n0.5,"a,""b"\n', LOSS, {"loss": 0.5}),
    ],
)  # fmt: skip
def test_the_metrics_of_a_file_are_found(
    tmp_path: Path, name: str, content: str, metrics: tuple[str, ...], expected: dict[str, float]
) -> None:
    found = read(tmp_path / name, content, metrics).metrics
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.jsonl",
            '{"loss": 2, "step": 5}\n{"other": 1}\n{"loss": 1, "other": 7}\n',
            [(5, {"loss": 2.0}), (2, {"loss": 1.0})],
        ),
        ("a.csv", "step,loss\n10,2\n20,\n30,1\n", [(10, {"loss": 2.0}), (30, {"loss": 1.0})]),
        ("a.csv", "loss\n2\n1\n", [(0, {"loss": 2.0}), (1, {"loss": 1.0})]),
        ("a.csv", "step,loss\n-1,2\n1.5,1\n", [(0, {"loss": 2.0}), (1, {"loss": 1.0})]),
    ],
)
def test_rows_with_the_metric_are_reports(
    tmp_path: Path, name: str, content: str, expected: list[tuple[int, dict[str, float]]]
) -> None:
    assert read(tmp_path / name, content).reports == expected


@pytest.mark.parametrize(
    ("name", "content", "metrics", "message"),
    [
        ("a.json", "", LOSS, "it is empty"),
        ("a.csv", "\n", LOSS, "it is empty"),
        ("a.json", '{"loss": 0.', LOSS, 'no complete JSON .*; expected {"loss": 0.1}, or one number'),
        ("a.json", '{"loss": "0.1"}', LOSS, "no metric 'loss' in it, it has no number"),
        ("a.json", '{"lose": 0.1}', LOSS, "no metric 'loss' in it, its numbers are 'lose'"),
        ("a.json", '"x"', LOSS, "it has 'x'"),
        ("a.json", "0.5", BOTH, "it has one number for 2 metrics"),
        ("a.json", '{"a": 1, "b": 2}', VALUE, 'name the metric: Sweep\\(direction={"loss": "minimize"}\\)'),
        ("a.json", '{"loss": 1' + "0" * 400 + "}", LOSS, "too large"),
        ("a.json", "[" * 100_000, LOSS, "nested too deep"),
        ("a.json", b"\xff\xfe", LOSS, "can't decode"),
        ("score", "done", LOSS, "it has 'done', which is no number"),
        ("a.jsonl", '{"loss": 1}\nhello\n{"loss": 2}\n', LOSS, "line 2 is no JSON"),
        ("a.jsonl", "[1]\n", LOSS, r"line 1 is no JSON object, but \[1\]"),
        ("a.csv", "lose,time\n1,2\n", LOSS, "it has no column 'loss'; its columns are lose, time"),
        ("a.csv", "a,b\n1,2\n", VALUE, "it has no column 'value'; its columns are a, b"),
        ("a.csv", "loss\n1\nmuch\n", LOSS, "line 3: 'loss' is 'much', which is no number"),
        ("a.csv", "loss\n", LOSS, "no metric 'loss' in it, it has no number"),
        ("a.csv", "loss\n" + '"' + "x" * 200_000 + '"', LOSS, "field larger"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_odd_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: str | bytes, metrics: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TrialError, match=f"^the result file '.*/{name}': .*{message}"):
        read(tmp_path / name, content, metrics)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"^the result file '.*/a\.json': it was not written$"):
        ResultFile(str(tmp_path / "a.json")).read(LOSS)


def test_a_folder_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(TrialError, match=r"no regular file|Is a directory"):
            ResultFile(str(tmp_path / name)).read(LOSS)


def test_a_path_that_no_system_has_is_an_error() -> None:
    with pytest.raises(TrialError, match="it cannot be read: embedded null byte"):
        ResultFile("a\0.json").read(LOSS)


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl"])
def test_a_file_of_an_earlier_attempt_is_not_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"loss": 1}\n')
    with pytest.raises(TrialError, match="it is of before this attempt"):
        ResultFile(str(tmp_path / name)).read(LOSS)


def test_a_file_that_is_written_anew_with_the_same_content_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("loss\n1\n")
    os.utime(path, (1, 1))
    assert read(path, "loss\n1\n").metrics == {"loss": 1.0}


@pytest.mark.parametrize("again", ["", "step,loss\n"])
def test_of_a_table_that_is_added_to_the_new_rows_count(tmp_path: Path, again: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,loss\n0,9\n1,8\n")
    file = ResultFile(str(path))
    with path.open("a") as added:
        added.write(again + "2,7\n")
    assert file.read(LOSS) == Found([(2, {"loss": 7.0})], {"loss": 7.0})


def test_of_lines_that_are_added_to_the_new_ones_count(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"loss": 9}\n')
    file = ResultFile(str(path))
    with path.open("a") as added:
        added.write('{"loss": 7}\n')
    assert file.read(LOSS) == Found([(0, {"loss": 7.0})], {"loss": 7.0})


def test_a_longer_file_that_begins_otherwise_is_new(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"loss": 9}\n')
    assert len(read(tmp_path / "a.jsonl", '{"loss": 8}\n{"loss": 7}\n').reports) == 2


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_file, "LIMIT_BYTES", 1000)
    with pytest.raises(TrialError, match=r"it has 1001 bytes; at most 1000 .* are read"):
        read(tmp_path / "a.json", " " * 1000 + "1")


def test_very_many_rows_are_thinned_out_to_the_last(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "loss\n" + "".join(f"{row}\n" for row in range(3 * MOST_REPORTS)))
    assert len(found.reports) == MOST_REPORTS
    assert found.reports[0] == (0, {"loss": 0.0})
    assert found.reports[-1] == (3 * MOST_REPORTS - 1, found.metrics)


def test_of_further_numbers_some_are_kept(tmp_path: Path) -> None:
    entries = ", ".join(f'"n{index}": {index}' for index in range(500))
    found = read(tmp_path / "a.json", f'{{{entries}, "loss": 1}}').metrics
    assert list(found)[:3] == ["loss", "n0", "n1"]
    assert len(found) == 1 + MOST_FURTHER


def test_a_further_number_with_an_odd_name_is_left_out(tmp_path: Path) -> None:
    content = f'{{"\\ud800": 1, "{"n" * 2000}": 2, "loss": 3, "step": 4, "": 5}}'
    assert read(tmp_path / "a.json", content).metrics == {"loss": 3.0}
