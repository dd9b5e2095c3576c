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

export const TIERS: readonly Tier[] = [
  { step: 0.25, keep: 330 },
  { step: 1, keep: 960 },
  { step: 5, keep: 3700 },
];

type Value = number | null;

/** Points of one resolution. */
class Steps {
  readonly times: number[] = [];
  readonly columns: Value[][];
  #seen: number[];

  constructor(
    readonly tier: Tier,
    readonly folds: readonly Fold[],
  ) {
    this.columns = folds.map(() => []);
    this.#seen = folds.map(() => 0);
  }

  push(at: number, values: readonly Value[]): void {
    const { step } = this.tier;
    const slot = Math.floor(at / step + 1e-6) * step;
    const last = this.times.at(-1);
    if (last !== undefined && slot < last) return;
    if (slot === last) {
      this.#merge(values);
      return;
    }
    this.times.push(slot);
    for (const [at, column] of this.columns.entries()) column.push(values[at] ?? null);
    this.#seen = this.folds.map((_, at) => ((values[at] ?? null) === null ? 0 : 1));
    this.#trim(slot);
  }

  #merge(values: readonly Value[]): void {
    for (const [at, column] of this.columns.entries()) {
      const value = values[at] ?? null;
      if (value === null) continue;
      const seen = this.#seen[at] ?? 0;
      const before = column.at(-1) ?? null;
      column[column.length - 1] = folded(this.folds[at] ?? "last", before, seen, value);
      this.#seen[at] = seen + 1;
    }
  }

  /** Arrays are cut in large pieces: moving them at each point would cost more than they hold. */
  #trim(now: number): void {
    const most = Math.ceil(this.tier.keep / this.tier.step);
    if (this.times.length < most * 1.25) return;
    const from = this.times.findIndex((time) => time >= now - this.tier.keep);
    this.times.splice(0, from);
    for (const column of this.columns) column.splice(0, from);
  }

  clear(): void {
    this.times.length = 0;
    for (const column of this.columns) column.length = 0;
  }
}

function folded(fold: Fold, before: Value, seen: number, value: number): number {
  if (before === null || fold === "last") return value;
  return fold === "max" ? Math.max(before, value) : before + (value - before) / (seen + 1);
}

/** Columns over time at falling resolution. */
export class SeriesStore<Name extends string> {
  readonly #names: readonly Name[];
  readonly #tiers: Steps[];

  constructor(columns: Readonly<Record<Name, Fold>>, tiers: readonly Tier[] = TIERS) {
    this.#names = Object.keys(columns) as Name[];
    const folds = this.#names.map((name) => columns[name]);
    this.#tiers = tiers.map((tier) => new Steps(tier, folds));
  }

  /** A point; one that is older than the last is left out. */
  push(at: number, values: Readonly<Partial<Record<Name, Value>>>): void {
    const row = this.#names.map((name) => values[name] ?? null);
    for (const tier of this.#tiers) tier.push(at, row);
  }

  /** Nothing is known between these times: the lines end at the first. */
  hole(from: number): void {
    for (const tier of this.#tiers) {
      tier.push((Math.floor(from / tier.tier.step) + 1) * tier.tier.step, []);
    }
  }

  /** The columns of a window, from the finest resolution that reaches so far back. */
  window(names: readonly Name[], from: number, to: number): [number[], ...Value[][]] {
    const reaches = (steps: Steps) => to - from <= steps.tier.keep;
    const steps = this.#tiers.find(reaches) ?? (this.#tiers.at(-1) as Steps);
    const begin = lowerBound(steps.times, from - steps.tier.step);
    const columns = names.map(
      (name) => steps.columns[this.#names.indexOf(name)]?.slice(begin) ?? [],
    );
    return [steps.times.slice(begin), ...columns];
  }

  clear(): void {
    for (const tier of this.#tiers) tier.clear();
  }

  /** Points kept, of all resolutions. */
  get length(): number {
    return this.#tiers.reduce((sum, steps) => sum + steps.times.length, 0);
  }
}

/** The first place whose value is at least `value`. */
export function lowerBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
