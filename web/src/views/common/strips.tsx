// Which strips does a lane have? The same six wherever it is shown, so that an eye that has learnt them
// once finds its way: what passes, what waits, how long it takes, what fails, and the plan with each
// decision marked on it.

import { memo, useMemo } from "react";
import type { LaneFacts } from "../../api/types";
import { go, lanePath, useParam } from "../../app/router";
import type { Direction, Mark } from "../../chart/marks";
import { StripChart, type StripChartProps } from "../../chart/StripChart";
import type { Line, StripView } from "../../chart/strip";
import { concurrency, count, duration, rate, text, whole } from "../../format/number";
import type { LaneColumn } from "../../live/columns";
import { useLive } from "../../live/hooks";
import type { Live, Told } from "../../live/live";
import { lowerBound } from "../../live/series";
import { changes, direction } from "../../live/story";
import { useWindow } from "./range";

type Value = number | null | undefined;

const perSecond = (value: Value) => text(rate(value));
const ms = (value: Value) => text(duration(value));
const seconds = (value: Value) =>
  text(duration(value === null || value === undefined ? null : value * 1000));
const items = (value: Value) => (value === null || value === undefined ? "–" : whole(value));

const axisCount = (value: number) => (value === 0 ? "0" : short(value));
const axisMs = (value: number) => (value === 0 ? "0" : shortDuration(value));
const axisSeconds = (value: number) => (value === 0 ? "0" : shortDuration(value * 1000));

/** A tick: as short as it is exact. */
function short(value: number): string {
  const { value: figure, unit } = count(value);
  return `${trimmed(figure)}${unit}`;
}

function shortDuration(value: number): string {
  const { value: figure, unit } = duration(value);
  return `${trimmed(figure)} ${unit}`;
}

const trimmed = (figure: string) => (figure.includes(".") ? figure.replace(/\.?0+$/, "") : figure);

/** A strip of a lane: its lines and the columns they are drawn from. */
interface LaneStrip {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly LaneColumn[];
  readonly lines: readonly Line[];
  readonly axis: (value: number) => string;
  readonly axisRight?: (value: number) => string;
  readonly top?: number;
  readonly topRight?: number;
  readonly target?: boolean;
  readonly marks?: "size" | "concurrency";
  readonly none?: string;
}

export const LANE_STRIPS = {
  throughput: {
    id: "throughput",
    title: "Events",
    columns: ["in_per_second", "out_per_second"],
    lines: [
      { label: "in", ink: "series-3", format: perSecond },
      { label: "out", ink: "series-1", format: perSecond, width: 1.8, fill: true },
    ],
    axis: axisCount,
    top: 10,
  },
  latency: {
    id: "latency",
    title: "Attempt latency",
    columns: ["attempt_p50_ms", "attempt_p95_ms", "attempt_p99_ms"],
    lines: [
      { label: "p50", ink: "series-3", format: ms, width: 1.2 },
      { label: "p95", ink: "series-2", format: ms, width: 1.2 },
      { label: "p99", ink: "series-1", format: ms, width: 1.8 },
    ],
    axis: axisMs,
    target: true,
    none: "no attempt yet",
  },
  size: {
    id: "size",
    title: "Batch size",
    columns: ["items_per_attempt", "batch_size"],
    lines: [
      { label: "sent", ink: "series-3", format: items, width: 1.2 },
      { label: "plan", ink: "series-1", format: items, width: 1.8, steps: true },
    ],
    axis: axisCount,
    top: 10,
    marks: "size",
  },
  waiting: {
    id: "waiting",
    title: "Waiting",
    columns: ["backlog", "oldest_seconds"],
    lines: [
      { label: "backlog", ink: "series-1", format: (value) => text(count(value)), fill: true },
      { label: "oldest", ink: "series-3", format: seconds, dash: [4, 3], right: true },
    ],
    axis: axisCount,
    axisRight: axisSeconds,
    top: 10,
    topRight: 0.1,
  },
  failing: {
    id: "failing",
    title: "Failed and again",
    columns: ["retries_per_second", "errors_per_second"],
    lines: [
      { label: "retries", ink: "warn", format: perSecond, dash: [4, 3] },
      { label: "errors", ink: "bad", format: perSecond, width: 1.8 },
    ],
    axis: axisCount,
    top: 1,
  },
  concurrency: {
    id: "concurrency",
    title: "In flight and linger",
    columns: ["in_flight", "concurrency", "linger_ms"],
    lines: [
      { label: "in flight", ink: "series-3", format: (value) => text(count(value)), width: 1.2 },
      {
        label: "allowed",
        ink: "series-1",
        format: (value) => concurrency(value).value,
        width: 1.8,
        steps: true,
      },
      { label: "linger", ink: "series-2", format: ms, dash: [4, 3], steps: true, right: true },
    ],
    axis: axisCount,
    axisRight: axisMs,
    top: 1.2,
    topRight: 1,
    marks: "concurrency",
  },
  attempts: {
    id: "attempts",
    title: "Attempts",
    columns: ["attempts_per_second", "misses_per_second"],
    lines: [
      { label: "answered", ink: "series-3", format: perSecond, width: 1.2 },
      { label: "over target", ink: "series-1", format: perSecond, width: 1.8 },
    ],
    axis: axisCount,
    top: 1,
  },
  delivery: {
    id: "delivery",
    title: "Delivery latency",
    columns: ["delivery_p50_ms", "delivery_p95_ms", "delivery_p99_ms"],
    lines: [
      { label: "p50", ink: "series-3", format: ms, width: 1.2 },
      { label: "p95", ink: "series-2", format: ms, width: 1.2 },
      { label: "p99", ink: "series-1", format: ms, width: 1.8 },
    ],
    axis: axisMs,
    none: "no delivery yet",
  },
} as const satisfies Record<string, LaneStrip>;

export type StripName = keyof typeof LANE_STRIPS;

/** One strip of one lane; it draws by itself, whatever is rendered around it. */
export const LaneStripChart = memo(function LaneStripChart(props: {
  facts: LaneFacts;
  strip: StripName;
  height?: number;
  bare?: boolean;
}) {
  const { facts, strip } = props;
  const live = useLive();
  const window = useWindow();
  const [chosen] = useParam("decision");
  const made: LaneStrip = LANE_STRIPS[strip];
  const chart = useMemo((): StripChartProps => {
    const read = (): StripView => {
      const { from, to } = window();
      return {
        columns: live.series(facts.key).window(made.columns, from, to),
        from,
        to,
        gaps: live.gaps(),
        at: chosenAt(live, facts.key, chosen),
        ...(made.target ? { target: facts.target_ms } : {}),
        ...(made.marks ? { marks: marksOf(live, facts.key, made.marks, from) } : {}),
      };
    };
    return {
      title: made.title,
      lines: made.lines,
      axis: made.axis,
      read,
      onFresh: live.subscribe,
      sync: "time",
      onOpen: (seq) => go(`${lanePath(facts.sink, facts.lane)}?decision=${seq}`),
      ...(made.axisRight ? { axisRight: made.axisRight } : {}),
      ...(made.top === undefined ? {} : { top: made.top }),
      ...(made.topRight === undefined ? {} : { topRight: made.topRight }),
      ...(made.none ? { none: made.none } : {}),
    };
  }, [chosen, facts, live, made, window]);
  const target = made.target ? (
    <span className="key end">
      <svg viewBox="0 0 14 8" aria-hidden="true">
        <line x1="0" y1="4" x2="14" y2="4" stroke="var(--text-2)" strokeDasharray="4 3" />
      </svg>
      target <b>{ms(facts.target_ms)}</b>
    </span>
  ) : null;
  return (
    <StripChart
      {...chart}
      extra={target}
      {...(props.height === undefined ? {} : { height: props.height })}
      {...(props.bare ? { bare: true } : {})}
    />
  );
});

export const WRITE = { size: whole, concurrency: (value: number) => concurrency(value).value, ms };

/** What a change of plan changed, in words. */
export const changed = (decision: Told["decision"]) => changes(decision, WRITE);

/** When the decision was made that the address names. */
function chosenAt(live: Live, lane: string, number: string): number | null {
  if (number === "") return null;
  const one = live
    .decisions(lane)
    .findLast((told) => live.isOfThisRun(told) && String(told.decision.number) === number);
  return one ? one.decision.at_unix_ms / 1000 : null;
}

const marks = new WeakMap<Told, { size: Mark; concurrency: Mark | null }>();

/** The marks of a lane's decisions from a moment on. */
function marksOf(live: Live, lane: string, on: "size" | "concurrency", from: number): Mark[] {
  const told = live.decisions(lane);
  const times = told.map(({ decision }) => decision.at_unix_ms / 1000);
  const shown = told.slice(lowerBound(times, from));
  return shown.map((one) => markOf(one)[on]).filter((mark) => mark !== null);
}

function markOf(told: Told): { size: Mark; concurrency: Mark | null } {
  const known = marks.get(told);
  if (known) return known;
  const { decision } = told;
  const { from, to } = decision;
  const common = {
    at: decision.at_unix_ms / 1000,
    text: `${changed(decision)}: ${decision.reason}`,
    seq: decision.number,
  };
  const isOfConcurrency =
    from.concurrency !== to.concurrency || from.linger_ms !== to.linger_ms || from.pace !== to.pace;
  const leads: Direction =
    to.concurrency === from.concurrency
      ? "other"
      : to.concurrency > from.concurrency
        ? "up"
        : "down";
  const made = {
    size: { ...common, value: to.batch_size, direction: direction(decision) },
    concurrency: isOfConcurrency ? { ...common, value: to.concurrency, direction: leads } : null,
  } as const;
  marks.set(told, made);
  return made;
}
