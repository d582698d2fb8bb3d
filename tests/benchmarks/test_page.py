"""A run as pictures and as one page. How it looks is for eyes; that it holds all, alone, and opens, is tested."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.harness import page, plots, results
from benchmarks.harness.figures import Figure, ratio
from benchmarks.harness.results import Results
from tests.benchmarks.made import figure, outcome, run
from tests.viewer.browser import CHROMIUM

PNG = b"\x89PNG\r\n\x1a\n"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

OURS = figure([50_000.0, 51_000.0, 52_000.0])
THEIRS = figure([500.0, 510.0, 520.0], contestant="optuna", less="keeps <nothing> on disk")
LAG = figure([1.0, 2.0, 3.0], "ms", what="lag")
RATIO = ratio("by_optuna", "asyncsweep / optuna", OURS, THEIRS)


def made() -> Results:
    return run(
        OURS,
        THEIRS,
        LAG,
        RATIO,
        limits=[(OURS, 50_000.0), (RATIO, 200.0)],
        failed={"ray": "RuntimeError: <script>alert(1)</script>"},
        skipped={"dask": "would take minutes"},
        notes=["A note & more."],
    )


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_contestants_of_one_thing_are_a_group_and_ratios_are_none() -> None:
    groups = plots.by_unit([OURS, THEIRS, LAG, RATIO])
    assert {unit: [(group.label, len(group.figures)) for group in of_one] for unit, of_one in groups.items()} == {
        "trials/s": [("in the loop", 2)],
        "ms": [("lag", 1)],
    }


@pytest.mark.parametrize("label", ["by_hand, lag, p99", "lag, p99, by hand", "By-hand, lag, p99", "lag, p99"])
def test_what_is_measured_is_said_without_whose_it_is(label: str) -> None:
    assert plots.what(Figure("key", label, "ms", [1.0], "by_hand")) == "lag, p99"


def test_a_number_of_trials_stays_as_it_is() -> None:
    assert plots.what(figure([1.0], what="2 processes, 10,000")) == "2 processes, 10,000"


def test_the_limit_stands_beside_what_it_limits() -> None:
    assert list(plots.by_unit([OURS, figure([9.0], "trips/s", "raw")])) == ["trials/s"]


def test_a_scale_is_logarithmic_where_a_bar_would_hide() -> None:
    assert plots.is_logarithmic([OURS, THEIRS])
    assert not plots.is_logarithmic([OURS, figure([40_000.0], contestant="optuna")])
    assert not plots.is_logarithmic([OURS, figure([0.0], contestant="optuna")])


def test_a_contestant_has_the_same_colour_whoever_else_takes_part() -> None:
    known = ["asyncsweep", "raw", "by_hand", "optuna", "ray", "syne_tune", "dask", "smac", "hyperopt"]
    all_of_them = plots.colours(known)
    assert len(set(all_of_them.values())) == len(known)
    assert plots.colours(["dask"])["dask"] == all_of_them["dask"]
    assert plots.colours(["somebody"])["somebody"].startswith("#")


def test_there_is_a_picture_for_each_unit_and_its_text_says_what_it_shows() -> None:
    found = plots.pictures("overhead", made().workloads["overhead"])
    assert [picture.name for picture in found] == ["overhead", "overhead-2"]
    assert all(picture.png.startswith(PNG) for picture in found)
    assert found[0].about == "overhead: medians and ranges in trials/s: in the loop: asyncsweep 51,000, optuna 510"


def test_many_groups_are_cut_into_several_pictures() -> None:
    figures = [figure([1.0], what=f"size {number}") for number in range(plots.MOST_GROUPS + 1)]
    assert len(plots.pictures("overhead", outcome(*figures))) == 2


@pytest.mark.parametrize("samples", [[0.0], [-1.0, 2.0], [1e-9], [1e12, 1.0]])
def test_odd_values_are_drawn(samples: list[float]) -> None:
    assert plots.pictures("overhead", outcome(figure(samples)))[0].png.startswith(PNG)


def test_nothing_measured_is_no_picture() -> None:
    assert plots.pictures("overhead", outcome()) == []


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, made by the command."""
    folder = tmp_path_factory.mktemp("report")
    results.write(made(), folder / "run.json")
    assert main(["report", str(folder / "run.json"), str(folder / "new" / "report")]) == 0
    return folder / "new" / "report" / page.NAME


def without_hiplot(text: str) -> str:
    return re.sub(r"<iframe.*?</iframe>", "", text, flags=re.DOTALL)


def test_the_page_holds_goals_ratios_marks_failures_notes_and_noise(written: Path) -> None:
    text = without_hiplot(written.read_text(encoding="utf-8"))
    for part in (
        "<b>1 of 2</b><span>goals met</span>",
        "≥ 50,000 trials/s",
        "≥ 200 x",
        '<td class="number ratio">100x</td>',
        "optuna, in the loop [a]",
        "[a] keeps &lt;nothing&gt; on disk",
        "ray: RuntimeError: &lt;script&gt;alert(1)&lt;/script&gt;",
        "not measured: dask: would take minutes",
        "A note &amp; more.",
        "Noise: the same pure Python work took 1.00 .. 1.00 of its median",
        "Imagined &lt;b&gt;CPU&lt;/b&gt;",
    ):
        assert part in text, part


def test_the_page_is_one_file_and_the_pictures_lie_beside_it(written: Path) -> None:
    text = without_hiplot(written.read_text(encoding="utf-8"))
    sources = re.findall(r'(?:src|href)="(.{8})', text)
    assert {source for source in sources if not source.startswith("#")} == {"data:ima", 'data:,">'}
    assert sorted(file.name for file in written.parent.iterdir()) == ["overhead-2.png", "overhead.png", page.NAME]


def test_every_repetition_is_a_row_of_hiplot(written: Path) -> None:
    found = page.rows(made())
    assert len(found) == 9
    assert found[0] == {
        "repetition": 1,
        "contestant": "asyncsweep",
        "workload": "overhead",
        "measured": "in the loop",
        "unit": "trials/s",
        "of median": pytest.approx(50 / 51),
        "value": 50_000.0,
    }


def test_a_run_without_figures_is_a_page_without_hiplot(tmp_path: Path) -> None:
    text = page.write(run(failed={"a": "b"}), tmp_path).read_text(encoding="utf-8")
    assert "<iframe" not in text
    assert '<span class="no">failed</span>: a: b' in text


def test_quick_samples_come_with_a_warning(tmp_path: Path) -> None:
    quick = page.write(run(LAG, setting={"is_quick": True}), tmp_path / "quick").read_text(encoding="utf-8")
    assert 'class="warning"' in quick


def test_a_browser_opens_it_without_network_and_hiplot_shows_every_row(written: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        assert os.environ.get("CI") != "true"
        pytest.skip("chromium is not installed")
    asked: list[str] = []
    faults: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        view = browser.new_page()
        view.on("request", lambda request: asked.append(request.url))
        view.on("pageerror", lambda error: faults.append(str(error)))
        # HiPlot asserts what it can read of colours, and draws the others black.
        view.on("console", lambda said: faults.append(said.text) if said.type in ("assert", "error") else None)
        view.goto(written.as_uri())
        view.frame_locator("iframe").get_by_text("9/9").first.wait_for(timeout=30_000)
        browser.close()
    assert [url[:8] for url in asked if not url.startswith(("data:", "about:", "blob:"))] == [written.as_uri()[:8]]
    assert faults == []
