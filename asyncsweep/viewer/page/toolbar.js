// Which states are shown, in every view; how many trials that makes; and the selection.

import { element } from "./elements.js";
import { count } from "./format.js";
import { STATES } from "./store.js";
import { label, mark } from "./states.js";

const EVERY_MS = 150;

export function mountToolbar(page, store) {
  const tools = page.getElementById("tools");
  const shown = page.getElementById("shown");
  const unselect = page.getElementById("unselect");
  const chips = new Map();

  for (const state of STATES) {
    const amount = element("b", {}, "0");
    const word = label(state);
    const chip = element("button", { type: "button", class: "chip", title: `${word}: click to show or hide them; double click for them alone` });
    chip.append(mark(state), element("span", { class: "label" }, word), amount);
    chip.addEventListener("click", () => {
      const states = new Set(store.states);
      if (!states.delete(state)) states.add(state);
      store.show(states);
    });
    chip.addEventListener("dblclick", () => store.show(store.states.size === 1 && store.states.has(state) ? STATES : [state]));
    chips.set(state, { chip, amount });
    page.getElementById("chips").append(chip);
  }
  unselect.addEventListener("click", () => store.select(null));

  function drawChips() {
    const counts = new Map(Object.entries(store.status?.counts ?? {}));
    for (const [state, { chip, amount }] of chips) {
      const many = count(counts.get(state) ?? 0);
      amount.textContent = many;
      chip.setAttribute("aria-pressed", String(store.states.has(state)));
      chip.setAttribute("aria-label", `${label(state)}: ${many}`);
    }
  }

  function drawShown() {
    let listed = 0;
    for (const row of store.rows.values()) listed += store.isListed(row);
    const total = Math.max(store.status?.total ?? 0, store.rows.size);
    const stride = store.status?.stride ?? 1;
    tools.hidden = !store.info;
    unselect.hidden = store.selection === null;
    shown.replaceChildren(element("b", {}, count(listed)), ` of ${count(total)} shown${stride > 1 ? ", from a sample" : ""}`);
    shown.title = stride > 1 ? `Of the trials that have ended every ${stride}th is here, with the best and those that have not ended` : "";
  }

  let timer = null;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      drawShown();
    }, EVERY_MS);
  };
  store.on("rows", soon);
  store.on("status", () => {
    drawChips();
    soon();
  });
  for (const event of ["filter", "selection", "info"]) {
    store.on(event, () => {
      drawChips();
      drawShown();
    });
  }
  drawChips();
  drawShown();
}
