"""A real Chromium for tests of the page, used from plain (synchronous) test functions.

Playwright's own synchronous interface leaves an event loop marked as running in the thread that uses it, and every async test after it
in the same process fails. So its asynchronous interface runs on an event loop in a thread of its own (`portal`), and `Sync` wraps
what it gives: each call is made there and waited for here. What is read or called is as in playwright's documentation:

    def test_the_name_is_shown(page_at, scripted):
        page = page_at(scripted.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("first")
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        assert download.value.suggested_filename == "first.csv"

The fixtures are in `conftest.py`: `portal`, `chromium`, `page_at`, `scripted`. Servers that tests need run on the same loop:
`with portal.wrap_async_context_manager(sw.serve(run)) as viewer: ...`.
"""

from __future__ import annotations

import inspect
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

# The shell is the same engine without what makes a browser of it: a page costs half as much there. The deep run takes the browser that people have.
_KINDS = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
CHROMIUM = max(
    _KINDS, key=lambda path: (path.exists(), (os.environ.get("ASYNCSWEEP_DEEP") == "1") == (path == _KINDS[1]))
)
ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TIMEOUT_MS = 10_000
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 800}


class Sync:
    """A playwright object, each of whose calls is made on the portal's loop and waited for."""

    def __init__(self, inner: Any, portal: BlockingPortal) -> None:
        self._inner = inner
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        value = self._on_loop(lambda: getattr(self._inner, name))
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            plain_args, plain_kwargs = [_plain(a) for a in args], {k: _plain(v) for k, v in kwargs.items()}
            return self._on_loop(lambda: value(*plain_args, **plain_kwargs))

        return call

    def __repr__(self) -> str:
        return f"Sync({self._inner!r})"

    def _on_loop(self, call: Callable[[], Any]) -> Any:
        async def run() -> Any:
            value = call()
            return await value if inspect.isawaitable(value) else value

        return self._wrapped(self._portal.call(run))

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrapped(item) for item in value]
        if hasattr(value, "__aenter__") and not hasattr(value, "close"):
            return self._entered(value)  # page.expect_download() and its like
        return Sync(value, self._portal) if type(value).__module__.startswith("playwright.") else value

    @contextmanager
    def _entered(self, manager: Any) -> Iterator[Sync]:
        with self._portal.wrap_async_context_manager(manager) as value:
            yield Sync(value, self._portal)


def expect(target: Sync, message: str | None = None) -> Sync:
    """Playwright's `expect`: an assertion that waits until it holds."""
    from playwright.async_api import expect as on_loop

    return Sync(on_loop(target._inner, message), target._portal)


def expect_focused(target: Sync, within_s: float = 10.0) -> None:
    """Wait until the document's focus is there. The browser may have taken it from the whole document, on a busy machine, which is
    no matter of the page's, and which `to_be_focused` does not bear.
    """
    until = time.monotonic() + within_s
    while not target.evaluate("element => element === element.ownerDocument.activeElement"):
        if time.monotonic() > until:
            active = target.evaluate("element => element.ownerDocument.activeElement.outerHTML.slice(0, 300)")
            raise AssertionError(f"the focus is not there but on {active}")
        target.page.wait_for_timeout(50)


def _plain(value: Any) -> Any:
    return value._inner if isinstance(value, Sync) else value


@contextmanager
def running_chromium(portal: BlockingPortal) -> Iterator[Sync]:
    """A browser. Skips the test where there is none, but fails it under CI=true."""
    if not CHROMIUM.exists():
        because = f"there is no {CHROMIUM}; on Debian: apt-get install chromium or chromium-headless-shell"
        if os.environ.get("CI") == "true":
            pytest.fail(because)
        pytest.skip(because)
    from playwright.async_api import async_playwright

    with portal.wrap_async_context_manager(async_playwright()) as playwright:
        browser = portal.call(
            lambda: playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=30_000)
        )
        try:
            yield Sync(browser, portal)
        finally:
            portal.call(browser.close)


class Pages:
    """Opens pages, and knows what went wrong in them: `page_at`.

    Args:
        browser: Where.
    """

    def __init__(self, browser: Sync) -> None:
        self._browser = browser
        self._contexts: list[Sync] = []
        self._expected: list[str] = []
        self.faults: list[str] = []

    def __call__(
        self,
        url: str,
        *,
        viewport: dict[str, int] = DESKTOP,
        color_scheme: str = "light",
        expected: Sequence[str] = (),
        init_script: str = "",
        **context: Any,
    ) -> Sync:
        """A page in a context of its own (storage, downloads).

        Args:
            url: What it shows; "" for a blank one, to go elsewhere later.
            viewport: Its size: DESKTOP or PHONE, say.
            color_scheme: What the system prefers: "light" or "dark".
            expected: Regular expressions of console errors and page errors that are no fault here; see also `expect_fault`.
            init_script: JavaScript that runs before the page's own.
            context: More of playwright's options of `browser.new_context`.
        """
        self._expected.extend(expected)
        made = self._browser.new_context(viewport=viewport, color_scheme=color_scheme, **context)
        self._contexts.append(made)
        made.set_default_timeout(TIMEOUT_MS)
        if init_script:
            made.add_init_script(init_script)
        # What a content security policy refuses is a console error too.
        made.on("console", lambda message: self._note(message.text, message.type == "error"))
        made.on("weberror", lambda error: self._note(f"uncaught: {error.error}", True))
        page = made.new_page()
        if url:
            page.goto(url)
        return page

    def expect_fault(self, pattern: str) -> None:
        """From now on a console error or page error that matches is no fault."""
        self._expected.append(pattern)

    def _note(self, text: str, is_error: bool) -> None:
        if is_error:
            self.faults.append(text)

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.faults if not any(re.search(pattern, text) for pattern in self._expected)]

    def close(self) -> None:
        while self._contexts:
            self._contexts.pop().close()


def screenshot(page: Sync, name: str, *, full_page: bool = False) -> Path:
    """Save what a page shows as build/screenshots/NAME.png; ASYNCSWEEP_SCREENSHOTS names another folder."""
    folder = Path(os.environ.get("ASYNCSWEEP_SCREENSHOTS", "build/screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=str(path), full_page=full_page, animations="disabled")
    return path
