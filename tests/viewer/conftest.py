"""Fixtures for tests in a real browser; how they are used is told in `browser.py` and `scripted.py`."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.viewer import browser
from tests.viewer.scripted import Scripted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Pages are closed before any fixture is: what a page says of servers that are stopped for good is no fault."""
    try:
        yield
    finally:
        pages = getattr(item, "funcargs", {}).get("page_at")
        if isinstance(pages, browser.Pages):
            pages.close()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The event loop, in a thread, of the browser and of servers that tests start."""
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def chromium(portal: BlockingPortal) -> Iterator[browser.Sync]:
    """The one browser of all tests."""
    with browser.running_chromium(portal) as running:
        yield running


@pytest.fixture
def page_at(chromium: browser.Sync) -> Iterator[browser.Pages]:
    """Opens pages; a console error, an uncaught error or a violation of the CSP that was not expected fails the test."""
    pages = browser.Pages(chromium)
    yield pages
    pages.close()
    assert pages.unexpected == []


@pytest.fixture
def scripted(portal: BlockingPortal) -> Iterator[Scripted]:
    """A server of the page whose stream says what the test says."""
    with portal.wrap_async_context_manager(Scripted(portal)) as server:
        yield server
