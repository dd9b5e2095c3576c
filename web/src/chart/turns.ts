// When is a strip drawn anew? Drawing is what a page of strips costs, and a strip that has moved by less
// than a pixel looks the same: so each waits until it has, at least half a second and at most a whole
// one. Strips take turns: were all drawn in one tick, that tick would be long.

/** A drawing follows what is known by no less than this, in seconds. */
const SOONEST = 0.5;
/** And by no more, however long a pixel lasts. */
const LATEST = 1;
/** Turns that a strip may have within its span: as many as ticks in a second. */
const PLACES = 4;

/** What a turn depends on. */
export interface Shown {
  readonly from: number;
  readonly to: number;
  /** A moment that is looked at. */
  readonly at?: number | null;
}

let made = 0;

/** The turns of one strip. */
export class Turns {
  readonly #place: number;
  #turn: number | null = null;
  #span = 0;
  #to = 0;
  #at: number | null | undefined;

  constructor(place = made++) {
    this.#place = (place % PLACES) / PLACES;
  }

  /** Whether to draw what is given: its turn has come, or it is another picture. */
  isDue({ from, to, at }: Shown, pixels: number): boolean {
    const span = to - from;
    const every = Math.min(Math.max(span / Math.max(pixels, 1), SOONEST), LATEST);
    const turn = Math.floor(to / every + this.#place);
    // Something new although no time has passed: the past was filled in, or it is another race.
    const isAnew = to === this.#to;
    this.#to = to;
    const isOther = isAnew || Math.abs(span - this.#span) > every || at !== this.#at;
    if (turn === this.#turn && !isOther) return false;
    [this.#turn, this.#span, this.#at] = [turn, span, at];
    return true;
  }

  /** The next one is due, whenever it comes. */
  reset(): void {
    this.#turn = null;
  }
}
