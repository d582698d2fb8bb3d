// When the parallel plot may be drawn again: as often as it should, and seldomer where that takes long, so that the page stays at hand.

const APPEND_MS = 60;
const ANEW_MS = 1000;
const PLAIN_MS = 2000; // for a plot that can only be drawn anew
const REST = 3; // after something that took a while there is a pause of so many whiles
const QUIET_MS = 250; // a snapshot from which nothing came for so long is complete
const MOST_WAIT_MS = 2000;

export class Pace {
  constructor() {
    this.end = this.anewEnd = this.cameAt = this.resetAt = -Infinity;
    this.cost = this.anewCost = 0;
  }

  came(now, isReset) {
    this.cameAt = now;
    if (isReset) this.resetAt = now;
  }

  worked(begin, now, isAnew) {
    this.end = now;
    this.cost = now - begin;
    if (isAnew) [this.anewEnd, this.anewCost] = [now, now - begin];
  }

  // The user waits for it.
  hurry() {
    this.end = this.anewEnd = this.resetAt = -Infinity;
  }

  // In how many milliseconds something may be appended.
  untilAppend(now) {
    return Math.max(0, this.end + Math.max(APPEND_MS, REST * this.cost) - now);
  }

  // In how many milliseconds everything may be drawn anew. What is drawn stays until a snapshot has come as a whole.
  untilAnew(now, isDrawn, isPlain) {
    const rested = this.anewEnd + Math.max(isPlain ? PLAIN_MS : ANEW_MS, REST * this.anewCost);
    const isComing = isDrawn && now - this.resetAt < MOST_WAIT_MS;
    return Math.max(0, rested - now, isComing ? Math.min(this.cameAt + QUIET_MS, this.resetAt + MOST_WAIT_MS) - now : 0);
  }
}
