// Has the page show everything that it can show: sorts the table by some columns, opens trials with their logs, chooses what can be
// chosen. Gives the texts that were shown, and the elements that a text may have become.
async ({ hasLogs, mostTrials, mostChoices }) => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const until = async (what, test) => {
    for (const end = performance.now() + 8000; !test(); await frame()) if (performance.now() > end) throw new Error(`it is not so that ${what}`);
  };
  const texts = new Set();
  const become = new Set();

  const TAGS = "iframe, frame, object, embed, base, form:not(#parallel details.axis-menu form.axis-brush), marquee, math, video, audio, animate, portal, img[src*='xss'], img[src='x'], image";
  const TARGETS = ["href", "xlink:href", "src", "srcdoc", "data", "action", "formaction", "style", "background"];
  const isStrange = (one) =>
    one.matches(TAGS) ||
    [...one.attributes].some(({ name, value }) => name.startsWith("on") || (TARGETS.includes(name) && /javascript:|__xss|xss\.invalid|text\/html/.test(value))) ||
    (["SCRIPT", "STYLE"].includes(one.tagName) && one.type !== "application/json" && one.textContent.length < 10_000 && /__xss|xss\.invalid/.test(one.textContent));

  function note(root = document.documentElement) {
    for (const one of [root, ...root.querySelectorAll("*")]) {
      if (isStrange(one)) become.add(one.outerHTML.slice(0, 200));
      for (const name of ["title", "aria-label"]) if (one.hasAttribute(name)) texts.add(one.getAttribute(name));
      if (!["SCRIPT", "STYLE"].includes(one.tagName)) for (const child of one.childNodes) if (child.nodeType === Node.TEXT_NODE) texts.add(child.data);
    }
  }

  // The table: all trials on one page, sorted by some columns.
  await until("the table has trials", () => find("table.trials tbody tr"));
  const size = find("#trials .table-foot select");
  size.value = "250";
  size.dispatchEvent(new Event("change"));
  const heads = all("table.trials th").length;
  for (let at = 0; at < heads; at += Math.ceil(heads / 12)) all("table.trials th button")[at].click();
  note();

  // Details.
  const numbers = all("table.trials tbody tr").map((tr) => tr.dataset.number);
  for (const number of numbers.slice(0, mostTrials)) {
    find(`table.trials tr[data-number="${number}"] button`).click();
    await until(`trial ${number} is shown`, () => find("#detail-title").textContent === `Trial ${number}` && /Parameters/.test(find("#detail").textContent));
    if (hasLogs && /Error/.test(find("#detail").textContent)) {
      await until(`the log of trial ${number} is shown`, () => find("#detail pre[role=log]")?.textContent.includes("epoch 1"));
    }
    for (const more of all("#detail details")) more.open = true;
    note(find("#detail"));
  }
  find("#detail header button:last-of-type").click();

  // The charts, of everything that they can be of.
  for (const section of ["history", "curves", "pareto"].map((id) => find(`#${id}`))) {
    if (section.hidden) continue;
    section.scrollIntoView();
    await until(`${section.id} is drawn`, () => section.querySelector(".main-svg, .chart-words:not([hidden])"));
    for (const select of section.querySelectorAll("select")) {
      for (const option of [...select.options].filter((one) => !one.selected).slice(0, mostChoices)) {
        select.value = option.value;
        select.dispatchEvent(new Event("change"));
        const drawing = () => section.querySelector(".js-plotly-plot")?.getAttribute("aria-label") ?? "";
        const before = drawing();
        for (let left = 30; left && drawing() === before; left--) await frame();
        note(section);
      }
    }
  }

  // The parallel plot: the list of its axes, the menu of each, and the lines coloured by whatever they can be coloured by.
  const plot = find("#parallel");
  plot.scrollIntoView();
  await until("the lines are drawn", () => plot.querySelector(".dimension .label-name, .placeholder:not([hidden])"));
  note(plot);
  const menu = plot.querySelector("details.axis-menu");
  menu.open = true;
  await until("there is a list of the axes", () => menu.querySelector("li"));
  note(menu);
  menu.open = false;
  for (const label of all("#parallel .label-name").slice(0, mostChoices)) {
    label.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 300, clientY: 300 }));
    await until("there is a menu of an axis", () => plot.querySelector(".context-menu").textContent.includes("Hide it"));
    note(plot);
  }
  for (const select of all("#parallel .chart-bar > label select")) {
    for (const option of [...select.options]) {
      select.value = option.value;
      select.dispatchEvent(new Event("change"));
      await frame();
      note(plot.querySelector(".parallel-legend"));
    }
  }
  note();
  return { texts: [...texts, document.title].join("\n"), become: [...become] };
}
