import { afterEach, expect, it, vi } from "vitest";
import type { Decision, Snapshot, Tick } from "../api/types";
import { Live } from "./live";

const BEGAN = 1_800_000_000_000;

function tick(
  sequence: number,
  rate: number,
  decisions: readonly Decision[] = [],
  began = BEGAN,
): Tick {
  const usage = { share: 0 };
  return {
    sequence,
    at_unix_ms: began + sequence * 250,
    decisions,
    transitions: [],
    totals: { accepted_per_second: rate },
    journal: {},
    resources: { host_cpu: usage, host_memory: usage, disk: usage, network: {} },
    lanes: [{ in_per_second: rate, plan: {} }],
    sinks: [{ breaker: "closed" }],
  } as unknown as Tick;
}

function hello(run: string, at: Tick): Snapshot {
  return {
    id: `${run}-${at.sequence}`,
    server: { run },
    lanes: [{ key: "a/default", sink: "a", lane: "default" }],
    sinks: [{ sink: "a" }],
    decisions: at.decisions,
    transitions: [],
    tick: at,
  } as unknown as Snapshot;
}

const decision = (number: number, at_unix_ms = BEGAN + number) =>
  ({ id: `a/default/${number}`, lane: "a/default", number, at_unix_ms }) as unknown as Decision;

const event = (type: string, data: unknown) => ({ type, data: JSON.stringify(data), id: "" });

/** A server that answers the two requests that follow a hello. */
function answers(history: unknown, decisions: readonly Decision[] = []): Promise<void> {
  const asked: string[] = [];
  return new Promise((done) => {
    vi.stubGlobal("fetch", async (path: string) => {
      asked.push(path);
      if (asked.length === 2) setTimeout(done);
      return Response.json(path.startsWith("/api/history") ? history : { decisions });
    });
  });
}

const NO_HISTORY = { id: "", at_unix_ms: [], totals: {}, lanes: {} };
const rates = (live: Live) => live.series("a/default").window(["in_per_second"], 0, BEGAN)[1];
const fine = (live: Live, from: number) =>
  live.series("a/default").window(["in_per_second"], from / 1000, from / 1000 + 60);

afterEach(() => vi.unstubAllGlobals());

it("begins with the server's history, and loses no tick that comes before it", async () => {
  const live = new Live();
  const answered = answers({
    id: "x-2",
    at_unix_ms: [BEGAN, BEGAN + 250, BEGAN + 500],
    totals: {},
    lanes: { "a/default": { in_per_second: [1, 2, 3] } },
  });
  live.take(event("hello", hello("x", tick(2, 3))));
  live.take(event("tick", tick(3, 4)));
  await answered;
  live.take(event("tick", tick(4, 5)));
  expect(fine(live, BEGAN)[1]).toEqual([1, 2, 3, 4, 5]);
});

it("draws no line across what a restart has swallowed, and says so", async () => {
  const live = new Live();
  let answered = answers(NO_HISTORY);
  live.take(event("hello", hello("x", tick(1, 1))));
  await answered;
  const later = BEGAN + 20_000;
  answered = answers({
    ...NO_HISTORY,
    at_unix_ms: [later],
    lanes: { "a/default": { in_per_second: [9] } },
  });
  live.take(
    event("gap", { reason: "restarted", after: "x-1", missed: null, message: "restarted" }),
  );
  live.take(event("hello", hello("y", tick(1, 9, [], later))));
  await answered;
  expect(rates(live)?.includes(null)).toBe(true);
  expect(fine(live, BEGAN)[1]).toEqual([1, null, 9, 9]);
  expect(live.breaks).toMatchObject([
    { fromMs: BEGAN + 250, toMs: later + 250, reason: "restarted" },
  ]);
  expect(live.gaps()).toEqual([[(BEGAN + 250) / 1000, (later + 250) / 1000]]);
});

it("fills a break in from the history where the server goes on, and hatches nothing", async () => {
  const live = new Live();
  let answered = answers(NO_HISTORY);
  live.take(event("hello", hello("x", tick(1, 1))));
  await answered;
  answered = answers({
    ...NO_HISTORY,
    at_unix_ms: [BEGAN + 250, BEGAN + 500, BEGAN + 750],
    lanes: { "a/default": { in_per_second: [1, 2, 3] } },
  });
  live.take(event("gap", { reason: "too_old", after: "x-1", missed: 1, message: "" }));
  live.take(event("hello", hello("x", tick(3, 3))));
  await answered;
  expect(fine(live, BEGAN)[1]).toEqual([1, 2, 3]);
  expect(live.breaks).toHaveLength(1);
  expect(live.gaps()).toEqual([]);
});

it("keeps each decision once and in order, whichever way and however often it comes", async () => {
  const live = new Live();
  const all = Array.from({ length: 40 }, (_, at) => decision(at));
  const answered = answers(NO_HISTORY, all.slice(0, 30).reverse());
  live.take(event("hello", hello("x", tick(1, 1, all.slice(20, 30)))));
  live.take(event("tick", tick(2, 1, all.slice(30, 35))));
  await answered;
  live.take(event("tick", tick(3, 1, all.slice(35))));
  expect(live.decisions("a/default").map((told) => told.decision.number)).toEqual(
    all.map(({ number }) => number),
  );
});

it("tells decisions of one run from those of the next, whose numbers begin anew", async () => {
  const live = new Live();
  let answered = answers(NO_HISTORY);
  live.take(event("hello", hello("x", tick(1, 1, [decision(0), decision(1)]))));
  await answered;
  answered = answers(NO_HISTORY);
  const later = BEGAN + 60_000;
  live.take(event("hello", hello("y", tick(1, 1, [decision(0, later)], later))));
  await answered;
  const told = live.decisions("a/default");
  expect(told.map(({ run, decision: { number } }) => `${run}${number}`)).toEqual([
    "x0",
    "x1",
    "y0",
  ]);
  expect(told.map((one) => live.isOfThisRun(one))).toEqual([false, false, true]);
});
