// Numbers for the charts: which can be drawn, which of very many are, and which are best. Nothing here touches the document.
//
// A point is an object with x, y and the number of its trial. A browser draws some thousands of SVG marks at ease, so that more are
// thinned: what matters is always kept, and of the rest a share that depends on the trials' numbers alone. So it is the same points
// again at the next drawing, and a chart does not flicker while the sweep grows.

export const MOST_POINTS = 5000;

// Beyond it the differences of two values, and so the axes, are no longer finite.
const HUGEST = 1e300;
const DECADES = 2;

export function isDrawable(value) {
  return value !== null && Math.abs(value) <= HUGEST;
}

// Whether a value is on an axis, which has no place for what is not positive if it is logarithmic.
export function isOnAxis(value, isLog) {
  return isDrawable(value) && (!isLog || value > 0);
}

// The smallest and the largest; null of nothing.
export function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

// Whether values are better looked at on a logarithmic axis, for all of them and not for some that are far from the others.
export function isWide(values, direction = null) {
  const [low, high] = fence(values, direction) ?? extent(values) ?? [0, 0];
  return low > 0 && Math.log10(high) - Math.log10(low) > DECADES;
}

// Where an axis may end so that some far values do not flatten the rest: [low, high], or null where there are none so far. The best
// values are never far.
export function fence(values, direction) {
  if (values.length < 8) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 3 * (at(0.75) - at(0.25));
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const low = direction === "minimize" ? least : Math.max(least, at(0.25) - reach);
  const high = direction === "maximize" ? most : Math.min(most, at(0.75) + reach);
  return high > low && most - least > 4 * (high - low) ? [low, high] : null;
}

// At most `most` of the points, in their order: those that `isKept`, and of the others what the numbers decide.
export function thin(points, most, isKept) {
  if (points.length <= most) return points;
  const kept = points.filter(isKept);
  // Of more than half that must be kept, the last ones.
  const certain = new Set(kept.slice(-Math.floor(most / 2)));
  let drawn = points;
  for (let share = 2 ** 31; drawn.length > most; share /= 2) {
    drawn = points.filter((point) => certain.has(point) || Math.imul(point.number, 0x9e3779b1) >>> 0 < share);
  }
  return drawn;
}

// At most about `most` places of a curve: of each stretch the lowest and the highest value, and both ends.
export function outline(values, most) {
  const all = values.length;
  if (all <= most) return [...values.keys()];
  const stretches = Math.max(1, Math.floor((most - 2) / 2));
  const places = new Set([0]);
  for (let stretch = 0; stretch < stretches; stretch++) {
    const end = Math.floor((all * (stretch + 1)) / stretches);
    let low = null;
    let high = null;
    for (let place = Math.floor((all * stretch) / stretches); place < end; place++) {
      if (!isDrawable(values[place])) continue;
      if (low === null || values[place] < values[low]) low = place;
      if (high === null || values[place] > values[high]) high = place;
    }
    if (low !== null) places.add(Math.min(low, high)).add(Math.max(low, high));
  }
  return [...places.add(all - 1)];
}

// How many places each of several curves may have so that they have `most` together: short ones leave their rest to the others.
export function shares(lengths, most) {
  let left = most;
  const given = lengths.map(() => 0);
  const order = [...lengths.keys()].sort((a, b) => lengths[a] - lengths[b]);
  order.forEach((place, done) => {
    given[place] = Math.min(lengths[place], Math.floor(left / (order.length - done)));
    left -= given[place];
  });
  return given;
}

export function isBetter(direction, value, other) {
  return direction === "maximize" ? value > other : value < other;
}

// The points, which are in the order of x, at which the best value so far changes.
export function records(points, direction) {
  const found = [];
  for (const point of points) {
    if (!found.length || isBetter(direction, point.y, found[found.length - 1].y)) found.push(point);
  }
  return found;
}

// The places of the points (lists of values, one for each direction, none NaN) that no other is better than: at least as good in all
// and not equal. O(n log n) for two directions, O(n times the front) for more, and null where that would take long.
export function front(points, directions, most = 4e7) {
  const signed = points.map((point) => point.map((value, at) => (directions[at] === "maximize" ? -value : value)));
  const order = [...signed.keys()].sort((a, b) => compare(signed[a], signed[b]));
  const kept = [];
  let steps = 0;
  for (const place of order) {
    // In this order only an earlier one can be better. Of two directions, it is the last one of the front.
    const others = directions.length === 2 ? kept.slice(-1) : kept;
    steps += others.length;
    if (steps > most) return null;
    if (!others.some((other) => isDominated(signed[place], signed[other]))) kept.push(place);
  }
  return kept.sort((a, b) => a - b);
}

function compare(a, b) {
  const at = a.findIndex((value, place) => value !== b[place]);
  return at < 0 ? 0 : a[at] < b[at] ? -1 : 1;
}

function isDominated(point, other) {
  return other.every((value, at) => value <= point[at]) && other.some((value, at) => value < point[at]);
}
