// What has happened, told shortly? A controller may take thirty steps in the same direction for the
// same cause; a person wants to read that once. Steps of one lane that follow each other in one
// direction become one entry, which still knows each of them.

import type { Direction } from "../chart/marks";

/** A plan, as far as its size goes. */
export interface PlanLike {
  readonly batch_size: number;
  readonly concurrency: number;
  readonly linger_ms: number;
  readonly pace?: number | null | undefined;
}

/** A change of plan. */
export interface DecisionLike {
  readonly number: number;
  readonly at_unix_ms: number;
  readonly by: string;
  readonly reason: string;
  readonly from: PlanLike;
  readonly to: PlanLike;
}

/** Changes of plan that read as one. */
export interface Run<D extends DecisionLike> {
  readonly direction: Direction;
  /** In the order of time; at least one. */
  readonly steps: readonly [D, ...D[]];
}

/** Steps further apart than this are told apart. */
const PAUSE_MS = 10_000;

/** Where a change leads: more at once, less at once, or something else. */
export function direction({ from, to }: Pick<DecisionLike, "from" | "to">): Direction {
  const capacity = (plan: PlanLike) => plan.batch_size * plan.concurrency;
  const [before, after] = [capacity(from), capacity(to)];
  if (after > before) return "up";
  if (after < before) return "down";
  if (to.batch_size !== from.batch_size) return to.batch_size > from.batch_size ? "up" : "down";
  return "other";
}

/** Joins decisions of one lane, given in the order of time. */
export function runs<D extends DecisionLike>(decisions: readonly D[]): Run<D>[] {
  const joined: { direction: Direction; steps: [D, ...D[]] }[] = [];
  for (const decision of decisions) {
    const leads = direction(decision);
    const open = joined.at(-1);
    const last = open?.steps.at(-1);
    const follows =
      last && decision.at_unix_ms - last.at_unix_ms <= PAUSE_MS && last.by === decision.by;
    if (open && follows && open.direction === leads) open.steps.push(decision);
    else joined.push({ direction: leads, steps: [decision] });
  }
  return joined;
}

/** What a change of plan changed, in words: `batch size 3,200 → 1,420`. */
export function changes(
  { from, to }: Pick<DecisionLike, "from" | "to">,
  write: {
    size: (value: number) => string;
    concurrency: (value: number) => string;
    ms: (value: number) => string;
  },
): string {
  const parts: string[] = [];
  const part = (name: string, before: string, after: string) => {
    if (before !== after) parts.push(`${name} ${before} → ${after}`);
  };
  part("batch size", write.size(from.batch_size), write.size(to.batch_size));
  part("concurrency", write.concurrency(from.concurrency), write.concurrency(to.concurrency));
  part("linger", write.ms(from.linger_ms), write.ms(to.linger_ms));
  const pace = (value: number | null | undefined) => (value ? `${write.size(value)}/s` : "none");
  part("pace", pace(from.pace), pace(to.pace));
  return parts.join(", ");
}
