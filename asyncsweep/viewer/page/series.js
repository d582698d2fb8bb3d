// Numbers for the charts: which can be drawn, which of very many are, and which are best. Nothing here touches the document.
//
// A point is an object with x, y and the number of its trial. A browser draws some thousands of SVG marks at ease, so that more are
// thinned: the few that matter are kept, and of the rest a share that depends on the trials' numbers alone and is spread over them evenly.
// So a crowd that is seen is there, it is the same points again at the next drawing, and a chart does not flicker while the sweep grows.

export const MOST_POINTS = 5000;
export const MOST_LIVE = 1500; // while there is little time
const THINNED = 3000;

// Beyond it the differences of two values, and so the axes, are no longer finite.
const HUGEST = 1e300;
const DECADES = 2;
const STEP = 0.8; // the share of the points that are kept falls by steps of this

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

// Whether values are better looked at on a logarithmic axis.
export function isWide(values) {
  const [low, high] = extent(values) ?? [0, 0];
  return low > 0 && Math.log10(high) - Math.log10(low) > DECADES;
}

// Where an axis may end so that some far values do not flatten the rest: [low, high], or null where there are none so far. The best
// values are never far.
export function fence(values, direction = null) {
  if (values.length < 8) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 3 * (at(0.75) - at(0.25));
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const low = direction === "minimize" ? least : Math.max(least, at(0.25) - reach);
  const high = direction === "maximize" ? most : Math.min(most, at(0.75) + reach);
  return high > low && most - least > 4 * (high - low) ? [low, high] : null;
}

// The first of the smallest and of the largest by `axis`, "x" or "y".
export function extremes(points, axis) {
  const ends = extent(points.map((point) => point[axis]));
  return ends === null ? [] : ends.map((end) => points.find((point) => point[axis] === end));
}

// The points, if they are at most `limit`, else fewer, in their order: those that matter, which should be few, then those that are
// `preferred`, and of the others an even share. Each of the first two has at most half of the room that there is, and an even share of itself.
export function thin(points, limit, matters, preferred = () => false) {
  if (points.length <= limit) return points;
  const most = Math.min(limit, THINNED);
  const drawn = new Set();
  for (const [isOwn, share] of [
    [matters, 0.5],
    [preferred, 0.5],
    [() => true, 1],
  ]) {
    const own = points.filter((point) => !drawn.has(point) && isOwn(point));
    for (const point of evenly(own, share * (most - drawn.size))) drawn.add(point);
  }
  return points.filter((point) => drawn.has(point));
}

// At most so many, as the numbers decide: multiples of the golden section lie evenly.
function evenly(points, most) {
  let found = points;
  for (let share = 2 ** 32; found.length > most; share *= STEP) {
    found = found.filter((point) => Math.imul(point.number, 0x9e3779b1) >>> 0 < share);
  }
  return found;
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
export function front(points, directions, most = 2e7) {
  const signed = directions.map((direction, at) => Float64Array.from(points, (point) => (direction === "maximize" ? -point[at] : point[at])));
  const order = Uint32Array.from(points.keys()).sort((a, b) => compare(signed, a, b));
  const kept = [];
  let steps = 0;
  for (const place of order) {
    // In this order only an earlier one can be better. Of two directions, it is the last one of the front.
    const first = signed.length === 2 ? kept.length - 1 : 0;
    steps += kept.length - first;
    if (steps > most) return null;
    let isBeaten = false;
    for (let at = Math.max(0, first); at < kept.length && !isBeaten; at++) isBeaten = isBetterInAll(signed, kept[at], place);
    if (!isBeaten) kept.push(place);
  }
  return kept.sort((a, b) => a - b);
}

function compare(signed, a, b) {
  for (const values of signed) {
    if (values[a] !== values[b]) return values[a] < values[b] ? -1 : 1;
  }
  return 0;
}

function isBetterInAll(signed, one, other) {
  let isEqual = true;
  for (const values of signed) {
    if (values[one] > values[other]) return false;
    if (values[one] < values[other]) isEqual = false;
  }
  return !isEqual;
}
