// A placeholder.

export function mountParallel(element, store, actions) {
  const words = document.createElement("p");
  words.className = "placeholder";
  words.textContent = "Parallel";
  element.append(words);
}
