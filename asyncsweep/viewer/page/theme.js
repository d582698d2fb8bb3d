// Light or dark: what the system prefers, until the user says otherwise.

const KEY = "asyncsweep:theme";

export function mountTheme(toggle, store) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // Storage may be off: the choice holds for this visit then.
  }
  const apply = () => {
    const theme = chosen === "dark" || chosen === "light" ? chosen : system.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
    toggle.setAttribute("aria-pressed", String(theme === "dark"));
    toggle.title = theme === "dark" ? "Light colours" : "Dark colours";
    if (store.theme !== theme) store.setTheme(theme);
  };
  system.addEventListener("change", apply);
  toggle.addEventListener("click", () => {
    chosen = store.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // as above
    }
    apply();
  });
  apply();
}
