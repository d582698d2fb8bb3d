// The switches above a chart: choices and check boxes with a label, which the keyboard reaches as any form's.

import { element, shortened } from "./elements.js";

const LONGEST = 50;

// A choice of one of `options` ([value, text] each); hidden while there is nothing to choose. `put` gives it other options, and leaves the
// choice where it still is one.
export class Choice {
  constructor(bar, label, changed) {
    this.select = element("select", { "aria-label": label, onchange: () => changed(this.select.value) });
    this.label = element("label", { class: "chart-choice", hidden: true }, element("span", {}, label), this.select);
    this.known = "";
    bar.append(this.label);
  }

  get value() {
    return this.select.value;
  }

  put(options, fallback = null) {
    const known = JSON.stringify(options);
    if (known === this.known) return;
    this.known = known;
    const before = this.select.value;
    this.select.replaceChildren(...options.map(([value, text]) => option(value, text)));
    const values = options.map(([value]) => value);
    this.select.value = values.includes(before) ? before : (fallback ?? values[0] ?? "");
    this.label.hidden = options.length < 2;
  }

  choose(value) {
    this.select.value = value;
  }
}

// A check box, which suggests itself until the user has decided.
export class Toggle {
  constructor(bar, label, title, changed) {
    this.isDecided = false;
    const decide = () => {
      this.isDecided = true;
      changed();
    };
    this.box = element("input", { type: "checkbox", onchange: decide });
    this.label = element("label", { class: "chart-toggle", title }, this.box, label);
    bar.append(this.label);
  }

  get isOn() {
    return this.box.checked && !this.label.hidden;
  }

  // How it is until the user decides: on if it `isGood`, and then for as long as it `isHarmless`.
  suggest(isGood, isHarmless) {
    if (!this.isDecided) this.box.checked = isHarmless && (isGood || this.box.checked);
  }

  // Another sweep is shown: what suggested itself was of the earlier one.
  forget() {
    if (!this.isDecided) this.box.checked = false;
  }

  // Whether there is anything to switch.
  offer(isOffered) {
    this.label.hidden = !isOffered;
  }
}

// What a logarithmic axis has to do with its values: offered where most of them have a place on it, on by itself where it shows more.
export function offerLog(toggle, values, isGood) {
  const positive = values.filter((value) => value > 0).length;
  toggle.offer(positive > values.length / 2);
  toggle.suggest(isGood, positive === values.length);
  return values.length - positive;
}

function option(value, text) {
  return element("option", { value, title: shortened(text, 300) }, shortened(text, LONGEST));
}
