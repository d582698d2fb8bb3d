"""The words of a command line: which are ours, which are parameters, which are passed on."""

from __future__ import annotations

import pytest

from asyncsweep.cli.words import Given, Words, meant, told_apart
from asyncsweep.errors import ConfigError

OWN = {"--trials": 1, "--n-trials": 1, "--seed": 1, "--backoff": 2, "--plain": 0, "-h": 0}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["train.py"], Words([], ["train.py"], [], None)),
        (["train.py", "--trials", "20", "--plain"], Words(["--trials", "20", "--plain"], ["train.py"], [], None)),
        (["--trials=20", "train.py"], Words(["--trials=20"], ["train.py"], [], None)),
        (["--backoff", "1", "30", "t:f"], Words(["--backoff", "1", "30"], ["t:f"], [], None)),
        (["--model.lr", "uniform(0, 1)"], Words([], [], [Given("model.lr", "uniform(0, 1)", "--model.lr")], None)),
        (["--x=-5", "--y", "-5"], Words([], [], [Given("x", "-5", "--x"), Given("y", "-5", "--y")], None)),
        (["--x=a=b"], Words([], [], [Given("x", "a=b", "--x")], None)),
        (["t.py", "x=1,2"], Words([], ["t.py"], [Given("x", "1,2", "x=")], None)),
        (
            ["t.py", "+db@a.b/c=1", "++y="],
            Words([], ["t.py"], [Given("+db@a.b/c", "1", "+db@a.b/c="), Given("++y", "", "++y=")], None),
        ),
        (["./a=b/t.py"], Words([], ["./a=b/t.py"], [], None)),
        (["t.py", "--", "--trials", "x=1", "--", "-v"], Words([], ["t.py"], [], ["--trials", "x=1", "--", "-v"])),
        (["--", "./t.sh"], Words([], [], [], ["./t.sh"])),
        (["t.py", "--"], Words([], ["t.py"], [], [])),
        (["--trials"], Words(["--trials"], [], [], None)),
    ],
)
def test_each_word_has_its_place(line: list[str], words: Words) -> None:
    assert told_apart(line, OWN) == words


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["t.py", "--verbose"], "--verbose has no value: .* comes after --"),
        (["t.py", "--verbose", "--x", "1"], "--verbose has no value"),
        (["t.py", "-v"], "-v: parameters have two dashes"),
    ],
)
def test_a_flag_is_refused_with_the_way_to_pass_it_on(line: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        told_apart(line, OWN)


@pytest.mark.parametrize(
    ("name", "near"),
    [("trails", "--trials"), ("n_trials", "--n-trials"), ("sede", None), ("lr", None), ("epochs", None)],
)
def test_a_slip_is_known_by_its_nearness(name: str, near: str | None) -> None:
    assert meant(name, OWN) == near
