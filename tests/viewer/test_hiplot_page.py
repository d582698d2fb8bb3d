"""HiPlot's own page of a sweep, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_hiplot_experiment import hostile
from tests.viewer.browser import Pages, expect


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # HiPlot leaves its icon's file open
def test_hiplots_own_page_shows_it_and_runs_none_of_its_texts(page_at: Pages, tmp_path: Path) -> None:
    page = page_at("")
    for n_trials in (1, 2, 9):
        path = tmp_path / f"{n_trials}.html"
        hostile(n_trials).to_hiplot().to_html(path)
        page.goto(path.as_uri())
        expect(page.locator("table.dataTable tbody tr")).to_have_count(n_trials)
        assert page.evaluate("window.__xss") is None
