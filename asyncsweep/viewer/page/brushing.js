// HiPlot's filters: what was brushed, kept and excluded, as it describes them itself.

// Whether a trial passes. `read(axis id)` is its value there, or undefined.
export function passes({ type, data }, read) {
  switch (type) {
    case "All":
      return data.every((each) => passes(each, read));
    case "Not":
      return !passes(data, read);
    case "Range":
      return isWithin(data, read(data.col));
    default:
      return false;
  }
}

// The ranges of a brush: none if nothing is brushed.
export function ranges(filter) {
  return filter?.type === "All" ? filter.data.filter(({ type }) => type === "Range").map(({ data }) => data) : [];
}

export function isBrush(filter) {
  return filter !== null && !(filter.type === "All" && filter.data.length === 0);
}

function isWithin({ type, min, max, include_infnans: includesSpecial }, value) {
  if (value === undefined) return false;
  if (type === "categorical") return min <= value && value <= max;
  if (typeof value !== "number") return includesSpecial === true;
  return min <= value && value <= max;
}
