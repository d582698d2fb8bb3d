// The tokens that let this page in. They come in the URL's fragment, which no server is ever sent, leave the address bar at once, and
// stay with this tab: `#token=...&control=...`.

let inMemory = null;

export function takeTokens() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("token") || given.has("control")) {
    const tokens = { token: given.get("token"), control: given.get("control") };
    history.replaceState(history.state, "", location.pathname + location.search);
    inMemory = tokens;
    try {
      sessionStorage.setItem(key(), JSON.stringify(tokens));
    } catch {
      // Storage may be off: a reload needs the link again then.
    }
    return tokens;
  }
  try {
    return inMemory ?? JSON.parse(sessionStorage.getItem(key())) ?? {};
  } catch {
    return inMemory ?? {};
  }
}

// Viewers of one origin may be mounted under several prefixes.
function key() {
  return `asyncsweep:tokens:${location.pathname}`;
}
