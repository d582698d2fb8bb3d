// Buttons that steer the sweep, for who has the second token: pause, stop, cancel a trial, enqueue one.

import { NAMELESS, element, button, focusOn, isolated } from "./elements.js";
import { number } from "./format.js";
import { question } from "./question.js";

const OVER = new Set(["ENDED", "INTERRUPTED"]);

export function mountControls(page, store, ask) {
  const box = page.getElementById("controls");
  const dialog = page.getElementById("question");
  const told = element("span", { class: "fault", role: "alert" });
  const pause = button("Pause", () => tell(store.status.state === "PAUSED" ? "unpause" : "pause"), { title: "Paused, no new trials begin; those that run go on" });
  const enqueue = button("Enqueue …", askForTrial, { title: "Have parameters of your choice tried next" });
  const stop = button("Stop …", askForStop, { class: "harm" });
  box.append(told, pause, enqueue, stop);
  const others = () => [stop, pause, enqueue, page.getElementById("theme")];
  let isTelling = false; // the button stays as it is meanwhile: a disabled one would lose the focus

  async function tell(what) {
    if (isTelling) return;
    isTelling = true;
    told.textContent = "";
    try {
      await ask(what);
    } catch (error) {
      told.textContent = error.message;
    }
    isTelling = false;
  }

  function askForStop() {
    const reason = element("input", { name: "reason", maxlength: "200", placeholder: "stopped from the page" });
    const later = element("input", { type: "radio", name: "now", value: "", checked: true });
    const now = element("input", { type: "radio", name: "now", value: "now" });
    question(dialog, {
      title: "Stop the sweep?",
      text: "No new trials begin. A sweep with a directory can be resumed later.",
      fields: [
        element("label", { class: "choice" }, later, "Let the trials that run come to their end"),
        element("label", { class: "choice" }, now, "End them now; they are cancelled"),
        element("label", {}, element("span", {}, "Reason, for the record"), reason),
      ],
      does: "Stop the sweep",
      isHarmful: true,
      act: () => ask("stop", { reason: reason.value || "stopped from the page", now: now.checked }),
      others,
    });
  }

  function askForTrial() {
    const params = store.columns.filter(({ kind, type }) => kind === "param" && type !== "constant");
    const inputs = new Map(params.map((column) => [column, inputFor(column)]));
    question(dialog, {
      title: "Enqueue a trial",
      text: "It is tried next. What is left empty is up to the sampler.",
      fields: params.map((column) => element("label", {}, element("span", {}, isolated(column.name || NAMELESS, 200), element("span", { class: "faint" }, ` ${domainOf(column)}`)), inputs.get(column))),
      does: "Enqueue",
      act: async () => {
        const given = [...inputs].filter(([, input]) => input.value !== "");
        const isChoice = ([{ type }]) => type === "category";
        const params = given.filter((one) => !isChoice(one)).map(([column, input]) => [column.name, valueOf(column, input)]);
        const choices = given.filter(isChoice).map(([{ name }, { value }]) => [name, Number(value)]);
        await ask("enqueue", { params: Object.fromEntries(params), choices: Object.fromEntries(choices) });
        store.tell("A trial was enqueued. It appears as soon as it begins.");
      },
      others,
    });
  }

  function draw() {
    const { status } = store;
    box.hidden = !store.mayControl || !status;
    if (!status) return;
    const isOver = OVER.has(status.state);
    const focused = box.contains(document.activeElement) ? document.activeElement : null;
    pause.textContent = status.state === "PAUSED" ? "Go on" : "Pause";
    pause.disabled = isOver || status.state === "STOPPING" || store.link.state !== "open";
    enqueue.disabled = pause.disabled;
    stop.disabled = isOver || store.link.state !== "open";
    if (focused?.disabled) focusOn(...others());
  }

  for (const event of ["status", "link", "info"]) store.on(event, draw);
  draw();

  return {
    cancel(trial) {
      question(dialog, {
        title: `Cancel trial ${trial}?`,
        text: "It is ended, and counts as one of the sweep's trials.",
        does: "Cancel the trial",
        isHarmful: true,
        act: () => ask("cancel", { trial }),
        others: () => [page.getElementById("detail-title")],
      });
    },
  };
}

function inputFor(column) {
  if (column.type === "category") {
    const select = element("select", {}, new Option("up to the sampler", ""));
    column.choices.forEach((choice, place) => select.append(new Option(choice.slice(0, 200), String(place))));
    return select;
  }
  return element("input", { autocomplete: "off", spellcheck: "false", inputmode: column.type === "any" ? "text" : "decimal" });
}

function domainOf({ type, low, high, log }) {
  const kind = { int: "whole number", float: "number", category: "", any: "JSON" }[type] ?? "";
  return low === null ? kind : `${kind} from ${number(low)} to ${number(high)}${log ? ", logarithmic" : ""}`;
}

// What was typed, as the server wants it: whole numbers too large for JavaScript as they were written.
function valueOf(column, input) {
  const text = input.value.trim();
  if (column.type === "any") {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  const value = Number(text);
  const wrong = Number.isNaN(value) || (column.type === "int" && !Number.isInteger(value));
  const isOutside = (column.low !== null && value < column.low) || (column.high !== null && value > column.high);
  if (wrong || isOutside) throw new Error(`${column.name.slice(0, 80)}: ${text} is no ${domainOf(column)}`);
  return column.type === "int" && !Number.isSafeInteger(value) ? text : value;
}
