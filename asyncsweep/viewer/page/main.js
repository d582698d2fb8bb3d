// Puts the page together: where the facts come from, and the views, each of which may fail without the others.

import { Connection } from "./connection.js";
import { mountControls } from "./controls.js";
import { mountCurves } from "./curves.js";
import { mountDetail } from "./detail.js";
import { element } from "./elements.js";
import { mountHistory } from "./history.js";
import { mountNotices } from "./notices.js";
import { mountParallel } from "./parallel.js";
import { mountPareto } from "./pareto.js";
import { recording } from "./recorded.js";
import { mountStatus } from "./status.js";
import { Store } from "./store.js";
import { mountTable } from "./table.js";
import { mountTheme } from "./theme.js";
import { mountToolbar } from "./toolbar.js";

const VIEWS = [
  ["trials", mountTable],
  ["parallel", mountParallel],
  ["history", mountHistory],
  ["curves", mountCurves],
  ["pareto", mountPareto],
];

function main() {
  const store = new Store();
  const source = recording(document) ?? new Connection(store);
  const ask = (what, fields) => source.ask(what, fields);
  const watch = (numbers) => source.watch(numbers);
  const choose = (number) => store.choose(number);
  const find = (id) => document.getElementById(id);

  addEventListener("error", ({ message }) => tellFault(find("faults"), message));
  addEventListener("unhandledrejection", ({ reason }) => tellFault(find("faults"), String(reason?.message ?? reason)));

  mountTheme(find("theme"), store);
  mountNotices(document, store, choose);
  mountStatus(document, store, choose);
  mountToolbar(document, store);
  const controls = mountControls(document, store, ask);
  mountDetail(find("detail"), store, { ask, cancel: controls.cancel });
  find("sweeps").addEventListener("change", ({ target }) => source.choose?.(target.value));

  // The views are there from the first snapshot on, so that none is drawn where nobody sees it.
  let isMounted = false;
  store.on("info", (info) => {
    if (!info) return;
    find("pareto").hidden = Object.keys(info.directions).length < 2;
    find("foot").textContent = `asyncsweep ${store.version ?? ""}`.trim();
    if (isMounted) return;
    isMounted = true;
    find("views").hidden = false;
    for (const [id, mount] of VIEWS) mountView(find(id), mount, store, { ask, watch });
  });
  source.start(store);
}

// A view whose mounting or drawing fails says so in its place.
function mountView(section, mount, store, actions) {
  const fault = element("p", { class: "fault", role: "alert", hidden: true });
  const tell = (error) => {
    fault.textContent = `This view failed: ${error?.message ?? error}. The others go on; reload the page to have it again.`;
    fault.hidden = false;
    if (!fault.isConnected) section.prepend(fault);
    console.error(error);
  };
  const guarded = (listener) => (detail) => {
    try {
      listener(detail);
    } catch (error) {
      tell(error);
    }
  };
  const on = (event, listener) => store.on(event, guarded(listener));
  const view = new Proxy(store, {
    get(target, name) {
      if (name === "on") return on;
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, name, value) {
      target[name] = value;
      return true;
    },
  });
  try {
    mount(section, view, actions);
  } catch (error) {
    tell(error);
  }
}

// What no view has caught.
function tellFault(box, message) {
  if (message.startsWith("ResizeObserver loop")) return; // it only means that sizes settle in the next frame
  box.hidden = false;
  if (box.children.length < 3) box.append(element("p", {}, `A part of the page failed: ${message}`));
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
