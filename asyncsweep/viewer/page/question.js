// A dialog that asks before something is done, and stays open with the answer where that was refused.

import { element, button, focusOn } from "./elements.js";

// `act(form)` does it and rejects with what is wrong; `isHarmful` for what cannot be undone. Resolves when the dialog is closed, to whether
// it was done. The focus goes back to where it came from, or to the first of `others()` that can have it.
export function question(dialog, { title, text = "", fields = [], does, isHarmful = false, act, others = () => [] }) {
  return new Promise((resolve) => {
    const opener = document.activeElement;
    const answer = element("p", { class: "answer", role: "alert" });
    const go = element("button", { type: "submit", class: isHarmful ? "harm" : "strong" }, does);
    const form = element(
      "form",
      { novalidate: true },
      element("h2", { id: "question-title" }, title),
      text ? element("p", { class: "faint" }, text) : null,
      fields.length ? element("div", { class: "fields" }, ...fields) : null,
      answer,
      element("div", { class: "buttons" }, button("Not now", () => dialog.close()), go),
    );
    let isDone = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      answer.textContent = "";
      try {
        await act(form);
        isDone = true;
        dialog.close();
      } catch (error) {
        answer.textContent = error.message;
      }
      go.disabled = false;
    });
    dialog.addEventListener(
      "close",
      () => {
        dialog.replaceChildren();
        focusOn(opener, ...others());
        resolve(isDone);
      },
      { once: true },
    );
    dialog.replaceChildren(form);
    dialog.showModal();
    (form.querySelector("input, select") ?? go).focus();
  });
}
