// What is remembered of the figures? The last minutes finely and the last hour coarsely, in memory
// that does not grow. A hole stays a hole: what was not seen is never joined by a line.

/** How points that fall into one step become one: the mean of rates, the worst of latencies. */
export type Fold = "mean" | "max" | "last";

/** A span of time of which nothing is known, in seconds since 1970. */
export type Gap = readonly [number, number];

/** One resolution: so many seconds a point, for so many seconds. */
export interface Tier {
  readonly step: number;
  readonly keep: number;
}

/** Those of the server's history, each kept somewhat longer than it is shown. */
export const TIERS: readonly Tier[] = [
  { step: 0.25, keep: 130 },
  { step: 1, keep: 720 },
  { step: 10, keep: 3700 },
];

type Value = number | null;

/** Points of one resolution: columns of numbers, in which NaN is "none". */
class Steps {
  readonly tier: Tier;
  readonly #folds: readonly Fold[];
  readonly #times: Float64Array;
  readonly #columns: readonly Float64Array[];
  readonly #seen: number[];
  #length = 0;

  constructor(tier: Tier, folds: readonly Fold[]) {
    this.tier = tier;
    this.#folds = folds;
    // A quarter more than is kept: moving everything at each point would cost more than it holds.
    const room = Math.ceil((tier.keep / tier.step) * 1.25) + 1;
    this.#times = new Float64Array(room);
    this.#columns = folds.map(() => new Float64Array(room));
    this.#seen = folds.map(() => 0);
  }

  get length(): number {
    return this.#length;
  }

  push(at: number, values: readonly Value[]): void {
    const { step } = this.tier;
    const slot = Math.floor(at / step + 1e-6) * step;
    const last = this.#length > 0 ? (this.#times[this.#length - 1] ?? 0) : Number.NEGATIVE_INFINITY;
    if (slot < last) return;
    if (slot > last) this.#append(slot);
    for (const [place, column] of this.#columns.entries()) {
      const value = values[place] ?? null;
      if (value === null) continue;
      const seen = this.#seen[place] ?? 0;
      const before = column[this.#length - 1] ?? Number.NaN;
      column[this.#length - 1] = folded(this.#folds[place] ?? "last", before, seen, value);
      this.#seen[place] = seen + 1;
    }
  }

  #append(slot: number): void {
    if (this.#length === this.#times.length) this.#trim(slot);
    this.#times[this.#length] = slot;
    for (const column of this.#columns) column[this.#length] = Number.NaN;
    this.#seen.fill(0);
    this.#length += 1;
  }

  #trim(now: number): void {
    const kept = lowerBound(this.#times, now - this.tier.keep, this.#length);
    const from = Math.max(kept, Math.ceil(this.#times.length / 5));
    for (const column of [this.#times, ...this.#columns]) column.copyWithin(0, from, this.#length);
    this.#length -= from;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Times from the last point before `from` on, and the named columns. */
  window(places: readonly number[], from: number): [number[], ...Value[][]] {
    const begin = Math.max(0, lowerBound(this.#times, from, this.#length) - 1);
    const times = Array.from(this.#times.subarray(begin, this.#length));
    return [times, ...places.map((place) => this.#values(place, begin))];
  }

  #values(place: number, begin: number): Value[] {
    const column = this.#columns[place];
    const values: Value[] = [];
    for (let at = begin; at < this.#length; at += 1) {
      const value = column?.[at];
      values.push(value === undefined || Number.isNaN(value) ? null : value);
    }
    return values;
  }
}

function folded(fold: Fold, before: number, seen: number, value: number): number {
  if (seen === 0 || fold === "last") return value;
  return fold === "max" ? Math.max(before, value) : before + (value - before) / (seen + 1);
}

/** Columns over time at falling resolution. */
export class SeriesStore<Name extends string> {
  readonly #names: readonly Name[];
  readonly #tiers: readonly Steps[];
  #first: number | null = null;

  constructor(columns: Readonly<Record<Name, Fold>>, tiers: readonly Tier[] = TIERS) {
    this.#names = Object.keys(columns) as Name[];
    const folds = this.#names.map((name) => columns[name]);
    this.#tiers = tiers.map((tier) => new Steps(tier, folds));
  }

  get names(): readonly Name[] {
    return this.#names;
  }

  /** The time of the first point there ever was. */
  get first(): number | null {
    return this.#first;
  }

  /** A point; one that is older than the last is left out. */
  push(at: number, values: Readonly<Partial<Record<Name, Value>>>): void {
    this.#first ??= at;
    const row = this.#names.map((name) => values[name] ?? null);
    for (const tier of this.#tiers) tier.push(at, row);
  }

  /** Nothing is known from here to the next point: the lines end. */
  hole(from: number): void {
    for (const steps of this.#tiers) {
      const { step } = steps.tier;
      steps.push((Math.floor(from / step) + 1) * step, []);
    }
  }

  /** The columns of a window, from the finest resolution that reaches so far back. */
  window(names: readonly Name[], from: number, to: number): [number[], ...Value[][]] {
    const steps = this.#tiers.find(({ tier }) => to - from <= tier.keep) ?? this.#tiers.at(-1);
    const places = names.map((name) => this.#names.indexOf(name));
    return steps ? steps.window(places, from) : [[]];
  }

  clear(): void {
    this.#first = null;
    for (const tier of this.#tiers) tier.clear();
  }

  /** Points kept, of all resolutions. */
  get length(): number {
    return this.#tiers.reduce((sum, steps) => sum + steps.length, 0);
  }
}

/** The first place of the first `length` whose value is at least `value`. */
export function lowerBound(
  sorted: ArrayLike<number>,
  value: number,
  length: number = sorted.length,
): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
