// A dialog that asks before something is done, and stays open with the answer where that was refused.

import { element, button } from "./elements.js";

// `act(form)` does it and rejects with what is wrong; `isHarmful` for what cannot be undone. Resolves when the dialog is closed, to whether
// it was done.
export function question(dialog, { title, text = "", fields = [], does, isHarmful = false, act }) {
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
        if (opener?.isConnected) opener.focus({ preventScroll: true });
        resolve(isDone);
      },
      { once: true },
    );
    dialog.replaceChildren(form);
    dialog.showModal();
    (form.querySelector("input, select") ?? go).focus();
  });
}
