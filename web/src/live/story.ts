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
  /**
   * `trial`: other plans were tried for a moment, and the one before is in force again.
   * `around`: many changes that stay near one plan.
   */
  readonly direction: Direction | "trial" | "around";
  /** In the order of time; at least one. */
  readonly steps: readonly [D, ...D[]];
}

/** Steps further apart than this are told apart. */
const PAUSE_MS = 10_000;

/** Items in flight at most. */
const capacity = (plan: PlanLike) => plan.batch_size * plan.concurrency;

/** Where a change leads: more at once, less at once, or something else. */
export function direction({ from, to }: Pick<DecisionLike, "from" | "to">): Direction {
  const [before, after] = [capacity(from), capacity(to)];
  if (after > before) return "up";
  if (after < before) return "down";
  if (to.batch_size !== from.batch_size) return to.batch_size > from.batch_size ? "up" : "down";
  return "other";
}

/** Changes around one plan are told as one for so long at most. */
const AROUND_MS = 60_000;
/** And as long as what they have in flight differs by no more than this. */
const AROUND_RATIO = 2.5;
/** And only from so many runs on. */
const AROUND_RUNS = 3;

/** Tells decisions of one lane shortly: runs, and what stays near one plan as one. */
export function told<D extends DecisionLike>(decisions: readonly D[]): Run<D>[] {
  const out: Run<D>[] = [];
  let near: Run<D>[] = [];
  const flush = () => {
    const [first, ...rest] = near.flatMap(({ steps }) => steps);
    if (first && near.length >= AROUND_RUNS)
      out.push({ direction: "around", steps: [first, ...rest] });
    else out.push(...near);
    near = [];
  };
  for (const run of runs(decisions)) {
    if (!staysNear(near, run)) flush();
    near.push(run);
  }
  flush();
  return out;
}

function staysNear<D extends DecisionLike>(near: readonly Run<D>[], next: Run<D>): boolean {
  const before = near.at(-1);
  const began = near[0]?.steps[0].at_unix_ms ?? 0;
  const ends = next.steps.at(-1)?.at_unix_ms ?? began;
  if (!before || !follows(before, next.steps[0]) || ends - began > AROUND_MS) return false;
  const [low, high] = extent([...near, next].flatMap(({ steps }) => steps));
  return capacity(high) <= capacity(low) * AROUND_RATIO;
}

/** The plans with the least and the most in flight. */
export function extent(steps: readonly Pick<DecisionLike, "from" | "to">[]): [PlanLike, PlanLike] {
  const plans = steps.flatMap(({ from, to }) => [from, to]);
  plans.sort((a, b) => capacity(a) - capacity(b));
  return [plans[0] as PlanLike, plans[plans.length - 1] as PlanLike];
}

/** Joins decisions of one lane, given in the order of time. */
export function runs<D extends DecisionLike>(decisions: readonly D[]): Run<D>[] {
  const joined: Run<D>[] = [];
  for (const decision of decisions) {
    const leads = direction(decision);
    const open = joined.at(-1);
    if (open && open.direction === leads && follows(open, decision)) {
      joined[joined.length - 1] = { direction: leads, steps: [...open.steps, decision] };
    } else joined.push({ direction: leads, steps: [decision] });
    foldTrial(joined);
  }
  return joined;
}

/** Whether a decision belongs to what a run began. */
function follows<D extends DecisionLike>({ steps }: Run<D>, next: D): boolean {
  const last = steps[steps.length - 1] ?? steps[0];
  return next.at_unix_ms - last.at_unix_ms <= PAUSE_MS && last.by === next.by;
}

/** Where the last two lead back to the plan that was before them, they are one trial. */
function foldTrial<D extends DecisionLike>(joined: Run<D>[]): void {
  const [away, back] = joined.slice(-2);
  const last = back?.steps.at(-1);
  if (!away || !back || !last || !follows(away, back.steps[0])) return;
  const isSame = (a: PlanLike, b: PlanLike) => planKey(a) === planKey(b);
  // A first part that went further than the trial keeps the steps that led to the plan returned to.
  const begin = away.steps.findLastIndex(({ from }) => isSame(from, last.to));
  const [first, ...rest] = away.steps.slice(begin);
  if (begin < 0 || !first || (away.direction === "trial" && begin > 0)) return;
  const kept = away.steps.slice(0, begin);
  const trial: Run<D> = { direction: "trial", steps: [first, ...rest, ...back.steps] };
  joined.splice(
    -2,
    2,
    ...(kept[0] ? [{ ...away, steps: [kept[0], ...kept.slice(1)] as const }] : []),
    trial,
  );
  mergeTrials(joined);
}

/** Trials around one plan, one after the other, are one. */
function mergeTrials<D extends DecisionLike>(joined: Run<D>[]): void {
  const [before, trial] = joined.slice(-2);
  if (before?.direction !== "trial" || trial?.direction !== "trial") return;
  const isAround = planKey(before.steps[0].from) === planKey(trial.steps[0].from);
  if (!isAround || !follows(before, trial.steps[0])) return;
  joined.splice(-2, 2, { direction: "trial", steps: [...before.steps, ...trial.steps] });
}

const planKey = (plan: PlanLike) =>
  [plan.batch_size, plan.concurrency, plan.linger_ms, plan.pace].join(" ");

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

/** A change of a breaker. */
export interface TransitionLike {
  readonly sink: string;
  readonly at_unix_ms: number;
  readonly to: "closed" | "open" | "half_open";
  readonly reason: string;
}

/** From the first time that a breaker opened until it closed: what lies between is probes that failed. */
export interface Outage {
  readonly sink: string;
  readonly fromMs: number;
  /** `null` while it lasts. */
  readonly toMs: number | null;
  /** How many times it opened again. */
  readonly again: number;
  readonly isProbing: boolean;
  /** Why it opened the first time. */
  readonly reason: string;
}

/**
 * Joins the transitions of all sinks, given in the order of time. With a restart of the server every
 * breaker begins anew, and says nothing about it.
 */
export function outages(
  transitions: readonly TransitionLike[],
  restartsMs: readonly number[] = [],
): Outage[] {
  const done: Outage[] = [];
  const open = new Map<string, Outage>();
  const unexplained = new Set<string>();
  const endAt = (sink: string, outage: Outage, toMs: number) => {
    done.push({ ...outage, toMs, isProbing: false });
    open.delete(sink);
    unexplained.delete(sink);
  };
  const restartBetween = (fromMs: number, toMs: number) =>
    restartsMs.find((at) => at >= fromMs && at <= toMs);
  for (const { sink, at_unix_ms, to, reason } of transitions) {
    const known = open.get(sink);
    const restart = known && restartBetween(known.fromMs, at_unix_ms);
    if (known && restart !== undefined) endAt(sink, known, restart);
    const before = open.get(sink);
    if (!before) {
      const begun = {
        sink,
        fromMs: at_unix_ms,
        toMs: null,
        again: 0,
        isProbing: to === "half_open",
        reason,
      };
      if (to !== "closed") open.set(sink, begun);
      if (to === "half_open") unexplained.add(sink);
    } else if (to === "closed") {
      endAt(sink, before, at_unix_ms);
    } else {
      const again = before.again + (to === "open" ? 1 : 0);
      // What was known first may have been a probe: then the first opening after it says why.
      const isFirst = to === "open" && unexplained.delete(sink);
      const why = isFirst ? reason : before.reason;
      open.set(sink, { ...before, again, isProbing: to === "half_open", reason: why });
    }
  }
  for (const [sink, outage] of [...open]) {
    const restart = restartBetween(outage.fromMs, Number.POSITIVE_INFINITY);
    if (restart !== undefined) endAt(sink, outage, restart);
  }
  return [...done, ...open.values()];
}
