"""Files of sweeps: every field arrives, and each fault is told with its path."""

from __future__ import annotations

import inspect
import json
import os
import tomllib
from pathlib import Path

import pytest

import asyncsweep as sw
from asyncsweep import specfile
from asyncsweep.space.choices import Constant

SPACE = """
[space]
lr = "log_uniform(1e-5, 1e-1)"
depth = {type = "int", low = 1, high = 8}
"decay.rate" = {type = "float", low = 0, high = 1, step = 0.25}
opt = {choices = ["sgd", "adam"]}
momentum = {type = "float", low = 0.5, high = 0.99, when = {opt = "sgd"}}
batch = [32, 64]
layers = {value = [64, 64]}
epochs = 30
model.width = "1,2"
model.act.name = "relu"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").touch()
    return tmp_path


def load(folder: Path, text: str, name: str = "sweep.toml") -> dict[str, object]:
    (folder / name).write_text(text)
    return specfile.load(folder / name)


def test_the_fields_are_those_of_a_sweep() -> None:
    assert set(specfile.FIELDS) == set(inspect.signature(sw.Sweep).parameters)


def test_a_space_may_be_texts_tables_lists_and_constants(folder: Path) -> None:
    space = load(folder, f'objective = "m:f"{SPACE}')["space"]
    assert space == {
        "lr": sw.Float(1e-5, 1e-1, log=True),
        "depth": sw.Int(1, 8),
        "decay.rate": sw.Float(0, 1, step=0.25),
        "opt": sw.Categorical(["sgd", "adam"]),
        "momentum": sw.Float(0.5, 0.99, when={"opt": ("sgd",)}),
        "batch": sw.Categorical([32, 64]),
        "layers": Constant([64, 64]),
        "epochs": Constant(30),
        "model.width": sw.Categorical([1, 2]),
        "model.act.name": Constant("relu"),
    }


def test_a_file_makes_a_sweep(folder: Path) -> None:
    text = """
        objective = {script = "train.py", args = ["--a"], style = "name=value"}
        direction = {loss = "minimize", size = "maximize"}
        n_trials = "none"
        timeout = 60
        retries = {times = 2, on = ["OSError"], backoff_s = [1, 30], quarantine = "none"}
        sampler = {name = "random"}
        pruner = "none"
        executor = {name = "process", fresh = true}
        exporters = [{name = "jsonl", path = "x.jsonl"}]
        enqueue = [{lr = 0.01}]
        target = "none"
        directory = "d"
        keep = "best"
        seed = 7
    """
    sweep = sw.Sweep(**load(folder, text + SPACE))  # type: ignore[arg-type]
    assert (sweep.spec.n_trials, sweep.spec.timeout, sweep.spec.seed, sweep.spec.keep) == (None, 60.0, 7, "best")
    assert sweep.spec.retries == sw.Retry(2, ("OSError",), (1.0, 30.0), None)
    assert sweep.spec.directions == {"loss": "minimize", "size": "maximize"}
    assert sweep.directory == folder / "d"
    assert sweep.spec.executor.options["fresh"] is True


def test_a_file_may_name_several_executors_and_what_trials_need(folder: Path) -> None:
    text = """
        objective = {script = "train.py"}
        executor = [{name = "process", slots = 2}, {name = "gpu", per_trial = 0.25}]
        needs = {gpus = 0.25, labels = {zone = "a"}}
    """
    found = load(folder, text + SPACE)
    assert found["executor"] == [{"name": "process", "slots": 2}, {"name": "gpu", "per_trial": 0.25}]
    sweep = sw.Sweep(**{**found, "needs": {"gpus": 0.25}})
    assert (sweep.spec.executor.name, sweep.spec.concurrency) == ("several", 0)
    assert found["needs"] == {"gpus": 0.25, "labels": {"zone": "a"}}


def test_json_has_the_same_fields(folder: Path) -> None:
    fields = {"objective": "m:f", "space": {"x": "uniform(0, 1)"}, "n_trials": None}
    assert load(folder, json.dumps(fields), "sweep.json") == {
        "objective": "m:f",
        "space": {"x": sw.Float(0, 1)},
        "n_trials": None,
    }


def test_paths_begin_at_the_folder_of_the_file(folder: Path) -> None:
    found = load(folder, 'history = "old.csv"\n[objective]\nscript = "train.py"')
    script = found["objective"]
    assert isinstance(script, sw.Script)
    assert (script.path, script.cwd) == (str(folder / "train.py"), str(folder))
    assert found["history"] == sw.History(str(folder / "old.csv"))
    assert load(folder, 'objective = "m:f"\nhistory = "sqlite:///s.db"')["history"] == sw.History("sqlite:///s.db")


def test_a_program_runs_in_the_folder_of_the_file(folder: Path) -> None:
    (folder / "go.sh").touch(0o755)
    command = load(folder, '[objective]\ncommand = ["./go.sh", "{lr}"]\nreports = "none"\nresult_file = "r.json"')[
        "objective"
    ]
    assert isinstance(command, sw.Command)
    assert (command.cwd, command.reports) == (str(folder), None)


def test_hooks_are_loaded_by_their_names(folder: Path) -> None:
    found = load(folder, 'objective = "m:f"\nplugins = ["json"]\nstop_when = "os.path:exists"')
    assert (found["plugins"], found["stop_when"]) == ([json], os.path.exists)


SCRIPT = '[objective]\nscript = "train.py"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("n_trails = 3", r"n_trails: there is no such field \(did you mean 'n_trials'\?\)"),
        ("n_trials = 3", "objective is missing"),
        ("x = = 3", r"it is not valid TOML: .*line 1"),
        ('objective = "train.py"', 'a text must have the form "package.module:function"; a script is'),
        ("objective = 3", "objective=3: expected"),
        ("[objective]\nargs = []", "objective: expected one of script and command in it, there is none"),
        ('[objective]\nscript = "train.py"\ncommand = ["x"]', "there are both"),
        (SCRIPT + "arg = []", r"objective.arg: there is no such field \(did you mean 'args'\?\)"),
        (SCRIPT + 'args = "x"', "objective: Script.args='x': expected a list"),
        ('[objective]\nscript = "nowhere.py"', r"objective: Script\(.*there is no file"),
        ("[objective]\nscript = 3", "objective.script=3: expected a path"),
        (
            '[objective]\nscript = "train.py"\npatch = {"a:B" = "nowhere_at_all:f"}',
            "objective.patch.'a:B'.='nowhere_at_all:f' cannot be",
        ),
        ("space = 3", "space=3: expected a table"),
        ('[space]\nlr = "unform(0, 1)"', "space.lr: parameter 'lr': 'unform.* did you mean uniform"),
        ('[space]\nlr = {type = "float", low = "a", high = 1}', "space.lr.low='a' is of type str"),
        ('[space]\nlr = {type = "int", low = 1, high = 2.5}', "space.lr.high=2.5 is of type float"),
        ('[space]\nlr = {type = "float", low = 3, high = 1}', "space.lr: Float: low=3.0 is greater than high=1.0"),
        (
            '[space]\nlr = {type = "flaot", low = 0, high = 1}',
            r"space.lr.type='flaot': expected .*did you mean 'float'",
        ),
        ("[space]\nlr = {low = 0, high = 1}", "space.lr.type is missing"),
        ('[space]\nlr = {type = "int", low = 0}', "space.lr.high is missing"),
        ('[space]\nlr = {type = "int", low = 0, high = 1, max = 2}', "space.lr.max: there is no such field of int"),
        ('[space]\nlr = {type = "float", low = 0, high = 1, log = 1}', "space.lr.log=1: expected true or false"),
        ("[space]\nlr = {choices = 3}", "space.lr.choices=3: expected a list"),
        ("[space]\nlr = []", "space.lr: Categorical: choices=.* is empty"),
        ("[space]\nlr = {choices = [1], when = 3}", "space.lr.when=3: expected a table"),
        ('[space]\na.b = 1\n"a.b" = 2', "the parameter 'a.b' is given twice"),
        ("sampler = 3", "sampler=3: expected a name"),
        ("sampler = {n = 3}", "sampler.name is missing"),
        ("executor = {name = 3}", "executor.name=3"),
        ('executor = ["thread", 3]', r"executor\[1\]=3: expected a name"),
        ('executor = ["thread", ["process"]]', r"executor\[1\]=.*: expected a name"),
        ('exporters = ["jsonl", 3]', r"exporters\[1\]=3: expected a name"),
        ("exporters = 3", "exporters=3: expected a list"),
        ('retries = {on = ["OSError", 3]}', r"retries.on\[1\]=3: expected a text"),
        ("retries = {times = -1}", "retries.times=-1: expected a whole number"),
        ("retries = {time = 1}", "retries.time: there is no such field"),
        ("retries = {backoff_s = [3, 1]}", r"retries.backoff_s=\[3, 1\]"),
        ("enqueue = [{}, 3]", r"enqueue\[1\]=3: expected a table"),
        ("history = {sorce = 3}", "history.sorce: there is no such field"),
        ("history = 3", "history.source=3"),
        ('plugins = ["no_such_module"]', r"plugins\[0\]='no_such_module' cannot be imported"),
        ('stop_when = "os:nothing"', "stop_when='os:nothing': os has no 'nothing'"),
        ("directory = 3", "directory=3: expected a text"),
    ],
)
def test_a_fault_is_told_with_the_file_and_its_path(folder: Path, text: str, complaint: str) -> None:
    if "objective" not in text and "missing" not in complaint[:20] and not text.startswith("x = ="):
        text = f'objective = "m:f"\n{text}'
    with pytest.raises(sw.ConfigError, match=f"(?s)sweep.toml: .*{complaint}"):
        load(folder, text)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.yaml", b"", "a file of a sweep ends in .toml or .json"),
        ("a.toml", None, "cannot be read: No such file"),
        ("a.toml", b"\xff", "it is not UTF-8"),
        ("a.json", b"{", "it is not valid JSON: .*line 1"),
        ("a.json", b"[]", r"expected an object with the fields of a sweep, not \[\]"),
    ],
)
def test_what_is_no_file_of_a_sweep_is_refused(folder: Path, name: str, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(sw.ConfigError, match=complaint):
        specfile.load(folder / name)


def test_the_commented_file_has_every_field_and_is_right_with_and_without_comments(folder: Path) -> None:
    from asyncsweep.cli.init import TEMPLATE

    assert set(load(folder, TEMPLATE)) == {"objective", "space", "direction", "n_trials", "concurrency", "sampler"}
    top, objective = TEMPLATE.split("[objective]")
    everything = "\n".join(line[1:] if line.startswith("#") and line[1] != " " else line for line in top.splitlines())
    assert {*tomllib.loads(everything), "objective", "space"} == set(specfile.FIELDS)
    for field in (
        "args",
        "style",
        "cwd",
        "env",
        "preload",
        "reports",
        "pattern",
        "result_file",
        "patch",
        "command",
        "metric",
    ):
        assert f"#{field} = " in objective


@pytest.mark.parametrize(
    ("domain", "complaint"),
    [
        ("lr = {min = 0, max = 1}", 'space.lr.min: a domain is .* {type = "float", low = 0, high = 1}, or with type'),
        ('lr = {distribution = "uniform", min = 0.0, max = 1.0}', 'space.lr.min: .* {type = "float", low = 0.0,'),
        ("m.lr = {lower = 0.5, upper = 1}", "space.m.lr.lower: a domain"),
        ("bs = {values = [16, 32]}", r"space.bs.values: .* {choices = \[16, 32\]}"),
        ('lr = {distribution = "normal", mu = 0, sigma = 1}', "space.lr.distribution: a domain"),
        ('"--lr" = "uniform(0, 1)"', "space.--lr: parameters have no dashes in front here; name it 'lr'"),
    ],
)
def test_a_domain_as_others_write_it_is_refused_with_the_mend(folder: Path, domain: str, complaint: str) -> None:
    with pytest.raises(sw.ConfigError, match=complaint):
        load(folder, f'objective = "m:f"\n[space]\n{domain}')


def test_parameters_with_dotted_names_may_be_called_like_bounds(folder: Path) -> None:
    space = load(folder, 'objective = "m:f"\n[space]\npool = {min = "int_uniform(1, 3)", max = "int_uniform(4, 9)"}')[
        "space"
    ]
    assert space == {"pool.min": sw.Int(1, 3), "pool.max": sw.Int(4, 9)}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"objective": "m:f", "objective": "m:g"}', "objective"),
        ('{"objective": "m:f", "space": {"lr": 1, "lr": 2}}', "space.lr"),
        ('{"objective": "m:f", "enqueue": [{}, {"lr": 1, "lr": 2}]}', r"enqueue\[1\].lr"),
    ],
)
def test_a_key_that_json_has_twice_is_refused_with_its_path(folder: Path, text: str, place: str) -> None:
    with pytest.raises(sw.ConfigError, match=f"sweep.json: {place}: it is given twice"):
        load(folder, text, "sweep.json")


@pytest.mark.parametrize(("name", "text"), [("a.toml", 'objective = "m:f"'), ("a.json", '{"objective": "m:f"}')])
def test_a_byte_order_mark_is_passed_over(folder: Path, name: str, text: str) -> None:
    assert load(folder, f"\ufeff{text}", name)["objective"] == "m:f"


def test_a_hook_that_is_not_there_is_told_by_its_field(folder: Path) -> None:
    patch = '[objective]\nscript = "train.py"\npatch = {"m:C.f" = "os:nothing"}'
    with pytest.raises(sw.ConfigError, match=r"objective.patch\['m:C.f'\]='os:nothing': os has no 'nothing'"):
        load(folder, patch)


def test_paths_of_exporters_begin_at_the_folder_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    exporters = load(
        folder,
        'objective = "m:f"\nexporters = ["csv", {name = "csv", path = "o.csv"}, {name = "tensorboard", logdir = "/runs"}, '
        '{name = "wandb", dir = "~/w", project = "path"}, {name = "x", path = "s3://a/b"}]',
    )["exporters"]
    assert exporters == [
        "csv",
        {"name": "csv", "path": str(folder / "o.csv")},
        {"name": "tensorboard", "logdir": "/runs"},
        {"name": "wandb", "dir": "/home/me/w", "project": "path"},
        {"name": "x", "path": "s3://a/b"},
    ]
