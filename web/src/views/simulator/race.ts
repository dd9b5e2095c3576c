// What was the case at a moment of a race? The figures of every runner there, the plan in force, and
// the decision that had brought it about.

import type { RaceResult, RaceRunner } from "../../api/types";
import { lowerBound } from "../../live/series";

type Timeline = RaceRunner["timeline"];
type RaceDecision = RaceRunner["decisions"][number];

/** A runner at a moment. */
export interface Moment {
  readonly goodput: number | null;
  readonly latencyMs: number | null;
  readonly batchSize: number | null;
  readonly concurrency: number | null;
  readonly failed: number | null;
}

const NOTHING: Moment = {
  goodput: null,
  latencyMs: null,
  batchSize: null,
  concurrency: null,
  failed: null,
};

/** The point in which a moment lies; points say when they end. */
export function momentOf(timeline: Timeline, atS: number): Moment {
  const place = lowerBound(timeline.at_s, atS);
  if (place >= timeline.at_s.length) return NOTHING;
  return {
    goodput: timeline.goodput[place] ?? null,
    latencyMs: timeline.latency_ms[place] ?? null,
    batchSize: timeline.batch_size[place] ?? null,
    concurrency: timeline.concurrency[place] ?? null,
    failed: timeline.failed[place] ?? null,
  };
}

/** The last decision that was under way or over at a moment. */
export function decisionAt(decisions: readonly RaceDecision[], atS: number): RaceDecision | null {
  return decisions.findLast(({ from_s }) => from_s <= atS) ?? null;
}

/** How long a race lasted, in seconds. */
export function lengthOf(result: RaceResult): number {
  return Math.max(
    result.oracle.at_s.at(-1) ?? 0,
    ...result.runners.map(({ timeline }) => timeline.at_s.at(-1) ?? 0),
  );
}

export const ORACLE = "oracle";

/** One column of every runner and the oracle, over the times of the first of them. */
export function together(
  result: RaceResult,
  column: "goodput" | "latency_ms" | "batch_size" | "concurrency",
): { times: number[]; columns: (number | null)[][] } {
  const timelines = [result.oracle, ...result.runners.map(({ timeline }) => timeline)];
  const times = [...new Set(timelines.flatMap(({ at_s }) => at_s))].sort((a, b) => a - b);
  const columns = timelines.map((timeline) => {
    const values = new Map(timeline.at_s.map((at, place) => [at, timeline[column][place] ?? null]));
    return times.map((at) => values.get(at) ?? null);
  });
  return { times, columns };
}
