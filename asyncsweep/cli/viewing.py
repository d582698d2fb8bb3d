"""A run on a page in a browser, for as long as it runs: `--view`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from asyncsweep.cli.view_options import HOST, View
from asyncsweep.run import SweepRun


@asynccontextmanager
async def viewed(run: SweepRun, view: View | None, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Serve the page of a run while the context is entered, and say where."""
    if view is None:
        yield
        return
    from asyncsweep.cli.browser import opened
    from asyncsweep.viewer.serving import serve

    async with serve(run, host=HOST, port=view.port) as viewer:
        with opened(viewer.url, view.opens):
            say(f"Viewer: {viewer.url}")
            yield
