// What is true now, and what was? Everything the server told, in one place: views read from it and
// charts draw from it. Ticks go into the series; a break that cannot be closed leaves a hole in them.

import { getJson, onToken, query } from "../api/client";
import type { ServerEvent } from "../api/sse";
import { type Connection, LiveStream } from "../api/stream";
import type {
  Bye,
  Decision,
  DecisionPage,
  Gap as GapEvent,
  History,
  LaneFacts,
  LaneTick,
  SinkFacts,
  SinkTick,
  Snapshot,
  Tick,
  Transition,
} from "../api/types";
import {
  LANE_COLUMNS,
  type LaneColumn,
  laneRow,
  TOTAL_COLUMNS,
  type TotalColumn,
  totalRow,
} from "./columns";
import { type Gap, SeriesStore } from "./series";

/** A decision, and which run of the server made it: its number names it only there. */
export interface Told {
  readonly run: string;
  readonly decision: Decision;
}

/** Ticks that never came, as far as a person needs to know. */
export interface Break {
  readonly fromMs: number;
  /** `null` until the next tick. */
  toMs: number | null;
  readonly reason: GapEvent["reason"];
  readonly message: string;
}

/** Decisions kept of each lane; the server keeps as many. */
const DECISIONS_KEPT = 1000;
const TRANSITIONS_KEPT = 500;
const BREAKS_KEPT = 50;
/** Lanes whose history one request may ask for. */
const LANES_A_REQUEST = 32;

export class Live {
  connection: Connection = { state: "connecting" };
  snapshot: Snapshot | null = null;
  tick: Tick | null = null;
  readonly transitions: Transition[] = [];
  readonly breaks: Break[] = [];
  /** Grows with every decision, transition and break: who derives from them looks at it. */
  version = 0;

  #decisions = new Map<string, Told[]>();
  #lanes = new Map<string, SeriesStore<LaneColumn>>();
  readonly totals = new SeriesStore<TotalColumn>(TOTAL_COLUMNS);
  /** Ticks that came before the history did; `null` once it is there. */
  #held: Tick[] | null = null;
  #pendingGap: GapEvent | null = null;
  #listeners = new Set<() => void>();
  #stream: LiveStream;
  #run = "";

  constructor() {
    this.#stream = new LiveStream(
      "/api/stream",
      (event) => this.take(event),
      (connection) => {
        this.connection = connection;
        this.#notify();
      },
    );
    onToken(() => this.#stream.retry());
  }

  start(): void {
    this.#stream.start();
  }

  retry(): void {
    this.#stream.retry();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The server's clock, as far as ticks tell it. */
  #offsetMs = 0;

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  decisions(lane: string): readonly Told[] {
    return this.#decisions.get(lane) ?? [];
  }

  get lanesWithDecisions(): IterableIterator<string> {
    return this.#decisions.keys();
  }

  series(lane: string): SeriesStore<LaneColumn> {
    let series = this.#lanes.get(lane);
    if (!series) {
      series = new SeriesStore<LaneColumn>(LANE_COLUMNS);
      this.#lanes.set(lane, series);
    }
    return series;
  }

  /** Spans of which nothing is known, in seconds. */
  gaps(): Gap[] {
    const restarts = this.breaks.filter(({ reason }) => reason === "restarted");
    return restarts.map(
      ({ fromMs, toMs }) => [fromMs / 1000, (toMs ?? this.now()) / 1000] as const,
    );
  }

  /** Takes an event of the stream. */
  take(event: ServerEvent): void {
    if (event.type === "hello") this.#hello(JSON.parse(event.data) as Snapshot);
    else if (event.type === "tick") this.#tick(JSON.parse(event.data) as Tick);
    else if (event.type === "gap") this.#pendingGap = JSON.parse(event.data) as GapEvent;
    else if (event.type === "bye") this.#bye(JSON.parse(event.data) as Bye);
    this.#notify();
  }

  /** The reason stands in the banner once the connection ends; nothing else follows from it. */
  lastBye: Bye | null = null;

  #bye(bye: Bye): void {
    this.lastBye = bye;
  }

  #hello(snapshot: Snapshot): void {
    const isRestart = this.#run !== "" && snapshot.server.run !== this.#run;
    if (this.tick) this.#noteBreak(this.tick.at_unix_ms, isRestart);
    this.#run = snapshot.server.run;
    this.snapshot = snapshot;
    this.lastBye = null;
    for (const decision of snapshot.decisions) this.#addDecision(decision);
    for (const transition of snapshot.transitions) this.#addTransition(transition);
    this.#held = [];
    void this.#fillIn(isRestart);
    this.#tick(snapshot.tick);
  }

  #noteBreak(fromMs: number, isRestart: boolean): void {
    const gap = this.#pendingGap;
    this.#pendingGap = null;
    this.breaks.push({
      fromMs,
      toMs: null,
      reason: isRestart ? "restarted" : (gap?.reason ?? "unknown"),
      message: gap?.message ?? "",
    });
    if (this.breaks.length > BREAKS_KEPT) this.breaks.shift();
    this.version += 1;
    if (!isRestart) return;
    const from = fromMs / 1000;
    this.totals.hole(from);
    for (const series of this.#lanes.values()) series.hole(from);
  }

  /** Fetches what was before: the server's history reaches back an hour, or to its start. */
  async #fillIn(isRestart: boolean): Promise<void> {
    const run = this.#run;
    const keys = this.snapshot?.lanes.map(({ key }) => key) ?? [];
    const requests: Promise<History>[] = [];
    for (let at = 0; at < Math.max(keys.length, 1); at += LANES_A_REQUEST) {
      const lane = keys.slice(at, at + LANES_A_REQUEST).join(",");
      requests.push(getJson<History>(`/api/history${query({ lane })}`));
    }
    const decisions = getJson<DecisionPage>(`/api/decisions${query({ limit: DECISIONS_KEPT })}`);
    // Without them the page begins with now; the stream says whether the server is there.
    const [histories, page] = await Promise.all([
      Promise.all(requests).catch(() => []),
      decisions.catch(() => null),
    ]);
    if (run !== this.#run) return;
    for (const [at, history] of histories.entries()) this.#addHistory(history, at === 0, isRestart);
    for (const decision of page?.decisions.toReversed() ?? []) this.#addDecision(decision);
    const held = this.#held ?? [];
    this.#held = null;
    for (const tick of held) this.#addPoint(tick);
    this.version += 1;
    this.#notify();
  }

  #addHistory(
    { at_unix_ms, lanes, totals }: History,
    withTotals: boolean,
    isRestart: boolean,
  ): void {
    if (withTotals) addColumns(this.totals, at_unix_ms, totals, isRestart);
    for (const [key, columns] of Object.entries(lanes)) {
      addColumns(this.series(key), at_unix_ms, columns, isRestart);
    }
  }

  #tick(tick: Tick): void {
    const open = this.breaks.at(-1);
    if (open && open.toMs === null) open.toMs = tick.at_unix_ms;
    this.#offsetMs = tick.at_unix_ms - Date.now();
    this.tick = tick;
    for (const decision of tick.decisions) this.#addDecision(decision);
    for (const transition of tick.transitions) this.#addTransition(transition);
    if (this.#held) this.#held.push(tick);
    else this.#addPoint(tick);
  }

  #addPoint(tick: Tick): void {
    const at = tick.at_unix_ms / 1000;
    this.totals.push(at, totalRow(tick));
    for (const [place, lane] of tick.lanes.entries()) {
      const facts = this.snapshot?.lanes[place];
      if (facts) this.series(facts.key).push(at, laneRow(lane, this.#sinkTick(facts.sink, tick)));
    }
  }

  #sinkTick(name: string, tick: Tick): SinkTick | undefined {
    return tick.sinks[this.snapshot?.sinks.findIndex(({ sink }) => sink === name) ?? -1];
  }

  /** Puts a decision in its place by time; one that is known is left out. */
  #addDecision(decision: Decision): void {
    let known = this.#decisions.get(decision.lane);
    if (!known) {
      known = [];
      this.#decisions.set(decision.lane, known);
    }
    let place = known.length;
    while (place > 0) {
      const before = known[place - 1] as Told;
      if (before.run === this.#run && before.decision.id === decision.id) return;
      const comesBefore = before.run !== this.#run || before.decision.number < decision.number;
      if (comesBefore) break;
      place -= 1;
    }
    known.splice(place, 0, { run: this.#run, decision });
    if (known.length > DECISIONS_KEPT * 1.2) known.splice(0, known.length - DECISIONS_KEPT);
    this.version += 1;
  }

  #addTransition(transition: Transition): void {
    const isKnown = this.transitions.some(
      (known) =>
        known.sink === transition.sink &&
        known.number === transition.number &&
        known.at_unix_ms === transition.at_unix_ms,
    );
    if (isKnown) return;
    this.transitions.push(transition);
    if (this.transitions.length > TRANSITIONS_KEPT) this.transitions.shift();
    this.version += 1;
  }

  /** What is known of a lane now. */
  lane(key: string): LaneNow | null {
    const { snapshot, tick } = this;
    const place = snapshot?.lanes.findIndex((lane) => lane.key === key) ?? -1;
    const [facts, now] = [snapshot?.lanes[place], tick?.lanes[place]];
    if (!snapshot || !tick || !facts || !now) return null;
    const sinkPlace = snapshot.sinks.findIndex(({ sink }) => sink === facts.sink);
    const [sinkFacts, sink] = [snapshot.sinks[sinkPlace], tick.sinks[sinkPlace]];
    return sinkFacts && sink ? { facts, now, sinkFacts, sink } : null;
  }

  /** Whether a decision was made by the server that runs now. */
  isOfThisRun({ run }: Told): boolean {
    return run === this.#run;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A lane and its sink, now. */
export interface LaneNow {
  readonly facts: LaneFacts;
  readonly now: LaneTick;
  readonly sinkFacts: SinkFacts;
  readonly sink: SinkTick;
}

/** Fills a series from the server's columns: anew, or after what the page has seen of an earlier run. */
function addColumns<Name extends string>(
  series: SeriesStore<Name>,
  times: readonly number[],
  columns: Readonly<Record<string, readonly (number | null)[]>>,
  isRestart: boolean,
): void {
  if (!isRestart) series.clear();
  for (const [at, time] of times.entries()) {
    const row: Partial<Record<Name, number | null>> = {};
    for (const name of series.names) row[name] = columns[name]?.[at] ?? null;
    series.push(time / 1000, row);
  }
}
