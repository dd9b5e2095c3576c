// What happened, when, and what was done about it? Changes of plan (steps that belong together told
// as one), breakers that opened and closed, and times of which nothing is known, the newest first.

import type { Decision } from "../api/types";
import type { Break, Live, Told } from "./live";
import { type Outage, outages, type Run, told } from "./story";

export type Entry =
  | {
      readonly kind: "plan";
      readonly key: string;
      readonly atMs: number;
      readonly lane: string;
      readonly run: Run<Decision>;
      readonly isOpenable: boolean;
    }
  | {
      readonly kind: "outage";
      readonly key: string;
      readonly atMs: number;
      readonly outage: Outage;
    }
  | { readonly kind: "break"; readonly key: string; readonly atMs: number; readonly gap: Break };

/** Decisions of a lane that are looked at: enough for what a page shows. */
const LOOKED_AT = 120;

/** The newest entries of all lanes and sinks. */
export function feed(live: Live, most: number): Entry[] {
  const entries: Entry[] = [];
  for (const lane of live.lanesWithDecisions) {
    const known = live.decisions(lane).slice(-LOOKED_AT);
    for (const [at, run] of told(known.map(({ decision }) => decision)).entries())
      entries.push(planEntry(live, known, lane, run, at));
  }
  const restarts = live.breaks
    .filter(({ reason }) => reason === "restarted")
    .map(({ fromMs }) => fromMs);
  for (const outage of outages(live.transitions, restarts)) {
    // One that lasts stays on top: it is what matters now.
    const atMs = outage.toMs ?? live.now();
    entries.push({ kind: "outage", key: `o/${outage.sink}/${outage.fromMs}`, atMs, outage });
  }
  for (const gap of live.breaks) {
    entries.push({ kind: "break", key: `g/${gap.fromMs}`, atMs: gap.toMs ?? gap.fromMs, gap });
  }
  entries.sort((a, b) => b.atMs - a.atMs);
  return entries.slice(0, most);
}

function planEntry(
  live: Live,
  known: readonly Told[],
  lane: string,
  run: Run<Decision>,
  at: number,
): Entry {
  const last = run.steps[run.steps.length - 1] as Decision;
  const source = known.find(
    ({ decision }) => decision.id === last.id && decision.at_unix_ms === last.at_unix_ms,
  );
  return {
    kind: "plan",
    key: `p/${lane}/${run.steps[0].at_unix_ms}/${run.steps[0].number}/${at}`,
    atMs: last.at_unix_ms,
    lane,
    run,
    isOpenable: source ? live.isOfThisRun(source) : false,
  };
}
