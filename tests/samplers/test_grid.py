"""The grid: every point once, whatever the conditions, enqueued trials and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import Params, Sampler, TrialRef
from asyncsweep.samplers.grid import GridSampler
from asyncsweep.space import Categorical, Domain, Float, Int, Space

SMALL = Space({"a": Int(1, 3), "opt": Categorical(["x", "y"]), "c": 7})
CONDITIONAL = Space(
    {
        "opt": Categorical(["sgd", "adam"]),
        "momentum": Float(0.0, 1.0, when={"opt": "sgd"}),
        "nesterov": Categorical([True, False], when={"opt": "sgd"}),
        "beta": Float(0.0, 0.9, when={"opt": "adam"}),
        "damping": Int(1, 2, when={"nesterov": True}),
    }
)


def opened(space: Space = SMALL, seed: int = 0, **options: Any) -> GridSampler:
    sampler = GridSampler(**options)
    sampler.open(space, {"value": "minimize"}, seed)
    return sampler


def rest(sampler: GridSampler, first: int = 0) -> Iterator[Params]:
    """What is asked for from a trial on, to the end of the grid."""
    number = first
    while True:
        try:
            yield sampler.ask(TrialRef(number))
        except SpaceExhausted:
            return
        number += 1


def final(number: int, params: Params, state: State = State.COMPLETE) -> TrialRecord:
    return TrialRecord(number, state, param_names=tuple(params), param_values=tuple(params.values()))


def canonical(points: list[Params]) -> list[str]:
    return sorted(map(repr, points))


def test_the_grid_is_the_product_in_order_then_exhausted() -> None:
    expected = [{"a": a, "opt": opt, "c": 7} for a, opt in product([1, 2, 3], ["x", "y"])]
    assert list(rest(opened())) == expected


def test_exhaustion_says_how_many_points_there_were() -> None:
    sampler = opened()
    with pytest.raises(SpaceExhausted, match="all 6 points of the grid were suggested"):
        sampler.ask(TrialRef(6))


def test_an_infinite_domain_takes_as_many_points_as_the_option_says() -> None:
    assert [point["x"] for point in rest(opened(Space({"x": Float(0.0, 1.0)}), points=3))] == [0.0, 0.5, 1.0]


def test_points_by_name_also_thin_out_a_finite_domain() -> None:
    space = Space({"x": Float(0.0, 1.0), "n": Int(0, 100)})
    points = list(rest(opened(space, points={"x": 2, "n": 3})))
    assert points == [{"x": x, "n": n} for x, n in product([0.0, 1.0], [0, 50, 100])]


def test_a_conditional_space_has_no_point_twice_and_misses_none() -> None:
    expected: list[Params] = []
    for momentum in (0.0, 0.5, 1.0):
        sgd = {"opt": "sgd", "momentum": momentum}
        expected += [{**sgd, "nesterov": True, "damping": damping} for damping in (1, 2)]
        expected.append({**sgd, "nesterov": False})
    expected += [{"opt": "adam", "beta": beta} for beta in (0.0, 0.45, 0.9)]
    assert list(rest(opened(CONDITIONAL, points=3))) == expected


@st.composite
def conditional_spaces(draw: st.DrawFn) -> Space:
    domains: dict[str, Domain] = {}
    for place in range(draw(st.integers(0, 5))):
        parents = draw(st.lists(st.sampled_from(list(domains)), unique=True, max_size=2)) if domains else []
        when = {name: draw(st.lists(st.integers(0, 2), min_size=1, unique=True)) for name in parents} or None
        domains[f"p{place}"] = Categorical([0, 1, 2][: draw(st.integers(1, 3))], when=_possible(when, domains))
    return Space(domains)


def _possible(when: dict[str, list[int]] | None, domains: dict[str, Domain]) -> dict[str, list[int]] | None:
    return (
        {name: [value for value in values if domains[name].contains(value)] or [0] for name, values in when.items()}
        if when
        else None
    )


@settings(max_examples=150, deadline=None)
@given(conditional_spaces(), st.booleans())
def test_the_grid_of_any_conditional_space_is_the_set_of_its_distinct_points(space: Space, shuffle: bool) -> None:
    distinct: dict[str, Params] = {}
    for values in product(*(domain.grid(9) for domain in space.domains.values())):
        chosen = dict(zip(space.names, values, strict=True))
        point = space.walk(lambda name, _, chosen=chosen: chosen[name])
        distinct[repr(point)] = point
    assert canonical(list(rest(opened(space, shuffle=shuffle)))) == canonical(list(distinct.values()))


def test_a_huge_grid_is_never_listed() -> None:
    space = Space({f"x{place}": Float(0.0, 1.0) for place in range(200)})
    sampler = opened(space, shuffle=True)
    assert sampler.ask(TrialRef(0)) != sampler.ask(TrialRef(1))


def test_shuffling_gives_the_same_points_in_another_order() -> None:
    plain, shuffled = list(rest(opened(CONDITIONAL))), list(rest(opened(CONDITIONAL, shuffle=True)))
    assert plain != shuffled and canonical(plain) == canonical(shuffled)


def test_the_shuffled_order_depends_on_the_seed_alone() -> None:
    orders = [list(rest(opened(seed=seed, shuffle=True))) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_an_enqueued_trial_uses_no_point_up() -> None:
    sampler = opened()
    asked = [sampler.ask(TrialRef(0)), sampler.ask(TrialRef(1, {"a": 2, "opt": "y"})), *rest(sampler, 2)]
    assert canonical(asked[:1] + asked[2:]) == canonical(list(rest(opened())))


def test_an_enqueued_trial_that_is_a_point_of_the_grid_is_not_repeated() -> None:
    sampler = opened()
    enqueued = sampler.ask(TrialRef(0, {"a": 1, "opt": "x"}))
    assert enqueued not in list(rest(sampler, 1))


def test_parameters_that_an_enqueued_trial_leaves_open_are_drawn_from_the_grid() -> None:
    drawn = {opened(seed=seed).ask(TrialRef(0, {"opt": "y"}))["a"] for seed in range(50)}
    assert drawn == {1, 2, 3}


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 12),
    st.dictionaries(st.integers(0, 12), st.sampled_from([{"a": 2}, {"a": 3, "opt": "x"}])),
    st.booleans(),
)
def test_resuming_goes_on_as_if_nothing_had_happened(cut: int, fixed: dict[int, Params], shuffle: bool) -> None:
    whole, resumed = opened(shuffle=shuffle), opened(shuffle=shuffle)
    for number in range(cut):
        try:
            params = whole.ask(TrialRef(number, fixed.get(number, {})))
        except SpaceExhausted:
            return
        resumed.tell(final(number, params))
    assert list(rest(resumed, cut)) == list(rest(whole, cut))


def test_the_point_of_a_trial_that_ran_at_the_crash_is_not_handed_out_again() -> None:
    before, after = opened(), opened()
    running = {}
    for number in range(4):
        params = before.ask(TrialRef(number))
        if number in (1, 3):
            running[number] = params
        else:
            after.tell(final(number, params))
    later = list(rest(after, 4))
    assert not [point for point in later if point in running.values()]


def test_the_point_of_an_enqueued_trial_that_ran_at_the_crash_is_handed_out_when_it_ends() -> None:
    before, after = opened(), opened()
    asked = [before.ask(TrialRef(0)), before.ask(TrialRef(1, {"a": 3}))]
    after.tell(final(0, asked[0]))
    asked.append(after.ask(TrialRef(2)))
    after.tell(final(1, asked[1], State.FAILED))
    asked += rest(after, 3)
    assert canonical(asked[:1] + asked[2:]) == canonical(list(rest(opened())))


def test_a_left_over_point_that_a_trial_had_at_the_crash_is_not_handed_out_again() -> None:
    before, after = opened(), opened()
    for number in range(6):
        after.tell(final(number, before.ask(TrialRef(number, {"a": 3, "opt": "y"} if number == 0 else {}))))
    before.ask(TrialRef(6))
    with pytest.raises(SpaceExhausted):
        after.ask(TrialRef(7))


@pytest.mark.parametrize("odd", [float("nan"), [float("nan")]], ids=["NaN", "list"])
def test_a_point_with_nan_is_known_again(odd: Any) -> None:
    sampler = opened(Space({"x": Categorical([odd, 1])}))
    # What was read from a journal is no object of the space.
    sampler.tell(final(0, msgspec.msgpack.decode(msgspec.msgpack.encode({"x": odd}))))
    assert list(rest(sampler, 1)) == [{"x": 1}]


def test_true_is_not_the_point_1() -> None:
    sampler = opened(Space({"x": Categorical([1, True])}))
    sampler.tell(final(0, {"x": True}))
    assert canonical(list(rest(sampler, 1))) == canonical([{"x": True}, {"x": 1}])


def test_a_trial_cancelled_before_it_got_parameters_uses_no_point_up() -> None:
    sampler = opened()
    sampler.tell(TrialRecord(0, State.CANCELLED))
    assert canonical(list(rest(sampler, 1))) == canonical(list(rest(opened())))


def test_a_parameter_outside_the_space_makes_no_other_point_of_a_retold_trial() -> None:
    sampler = opened()
    sampler.tell(final(0, {**opened().ask(TrialRef(0)), "late": 1.0}))
    assert len(list(rest(sampler, 1))) == 5


def test_a_parameter_outside_the_space_is_refused() -> None:
    with pytest.raises(ConfigError, match="'grid' cannot suggest 'lr'; it needs every parameter in `space`"):
        opened().suggest(TrialRef(0), "lr", Float(0.0, 1.0))


def test_an_empty_space_has_one_point() -> None:
    assert list(rest(opened(Space({})))) == [{}]


def test_the_grid_sampler_keeps_the_contract() -> None:
    assert isinstance(GridSampler(), Sampler) and GridSampler.host == "inline"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 0}, "sampler.points: expected a whole number of at least 1, or such numbers by name, got 0"),
        ({"points": True}, "sampler.points: expected a whole number of at least 1, or such numbers by name, got True"),
        (
            {"points": {"a": 1.5}},
            "sampler.points['a']: expected a whole number of at least 1, or such numbers by name, got 1.5",
        ),
        ({"shuffle": 1}, "sampler.shuffle: expected True or False, got 1"),
        ({"points": {"Opt": 2}}, "sampler.points: 'Opt' is not in the space (did you mean 'opt'?); it has a, c, opt"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(**options)
    assert str(refused.value) == message


def test_points_by_name_must_not_leave_out_an_infinite_parameter() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.points: 'x' has infinitely many values"):
        opened(Space({"x": Float(0.0, 1.0), "n": Int(1, 9)}), points={"n": 2})
