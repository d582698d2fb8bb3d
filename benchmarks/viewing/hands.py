"""How long the page takes to do what a user asks for, while trials come: from the event of the mouse to the first frame that shows it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

# `effect` is looked at in each frame after an event; `took` is how long after the event the next frame was there. The time of an event is
# that of the mouse: if the page was busy, the wait for it counts.
_ARM = """([kind, effect, given]) => {
  const holds = {
    sorted: (before) => document.querySelector("#trials th[aria-sort]").outerHTML !== before,
    details: (number) => document.querySelector("#detail h2").textContent.endsWith(` ${number}`) && document.querySelector("#detail .body tbody + *, #detail h3") !== null,
    selected: () => !document.getElementById("unselect").hidden,
    unselected: () => document.getElementById("unselect").hidden,
  }[effect];
  window.__took = null;
  addEventListener(kind, ({ timeStamp }) => {
    const look = () => {
      if (!holds(given)) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => { window.__took = performance.now() - timeStamp; }));
    };
    look();
  }, { capture: true, once: true });
}"""
_SORTED = "() => document.querySelector('#trials th[aria-sort]').outerHTML"
# An axis of numbers that trials are spread over.
_AXIS = """() => {
  const axes = [...document.querySelectorAll(".parallel-plot .dimension")];
  const axis = axes.find((node) => node.querySelector(".label-name").textContent === "bias") ?? axes[1];
  const { x, y, width, height } = axis.querySelector(".pplot-brush .overlay").getBoundingClientRect();
  return { x: x + width / 2, y, height };
}"""
_WAIT_S = 30.0


class Hands(NamedTuple):
    """Milliseconds, one for each time that it was done.

    Attributes:
        sort: A click on a head of the table, until the table is sorted.
        details: A click on a trial, until its parameters are there.
        brush: The end of a drag along an axis, until the table lists what was brushed.
        clear: A click on "Clear the selection", until all are listed.
    """

    sort: list[float]
    details: list[float]
    brush: list[float]
    clear: list[float]


async def use(page: Any, times: int) -> Hands:
    """Sort, look at a trial, brush and clear the selection, in turns."""
    done = Hands([], [], [], [])
    for turn in range(times):
        done.sort.append(await _sort(page, 2 + turn % 3))
        done.details.append(await _look(page, turn))
        done.brush.append(await _brush(page, 0.2 + 0.05 * turn))
        await _arm(page, "click", "unselected")
        await page.locator("#unselect").click()
        done.clear.append(await _took(page))
    return done


async def _sort(page: Any, head: int) -> float:
    press = page.locator("#trials thead button").nth(head)
    await press.scroll_into_view_if_needed()
    await _arm(page, "click", "sorted", await page.evaluate(_SORTED))
    await press.click()
    return await _took(page)


async def _look(page: Any, place: int) -> float:
    # By number: so sorted, rows stay where they are while more come.
    await page.locator("#trials thead button").first.click()
    if await page.locator("#trials th[aria-sort]").get_attribute("aria-sort") == "descending":
        await page.locator("#trials thead button").first.click()
    press = page.locator("#trials tbody button").nth(place)
    await _arm(page, "click", "details", await press.inner_text())
    await press.click()
    found = await _took(page)
    await page.keyboard.press("Escape")
    return found


async def _brush(page: Any, low: float) -> float:
    await page.locator("#parallel").scroll_into_view_if_needed()
    axis = await page.evaluate(_AXIS)
    await page.mouse.move(axis["x"], axis["y"] + low * axis["height"])
    await page.mouse.down()
    await page.mouse.move(axis["x"], axis["y"] + (low + 0.1) * axis["height"], steps=3)
    await page.mouse.move(axis["x"], axis["y"] + (low + 0.3) * axis["height"], steps=3)
    await _arm(page, "pointerup", "selected")  # d3 keeps "mouseup" to itself
    await page.mouse.up()
    return await _took(page)


async def _arm(page: Any, kind: str, effect: str, given: Any = None) -> None:
    await page.evaluate(_ARM, [kind, effect, given])


async def _took(page: Any) -> float:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        took = await page.evaluate("() => window.__took")
        if took is not None:
            return float(took)
        await page.wait_for_timeout(20)
    raise RuntimeError(f"the page has not done in {_WAIT_S:g} s what it was asked for")
