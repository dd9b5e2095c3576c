import { expect, it } from "vitest";
import { changes, type DecisionLike, direction, outages, runs, told } from "./story";

const plan = (batch_size: number, concurrency = 1, linger_ms = 0) => ({
  batch_size,
  concurrency,
  linger_ms,
});
const step = (
  number: number,
  from: number,
  to: number,
  at = number * 1000,
  by = "aimd",
): DecisionLike => ({
  number,
  at_unix_ms: at,
  by,
  reason: `step ${number}`,
  from: plan(from),
  to: plan(to),
});

it("loses no step, and keeps their order", () => {
  const steps = Array.from({ length: 1000 }, (_, at) => step(at, at % 7, (at * 3) % 5));
  expect(runs(steps).flatMap((run) => run.steps)).toEqual(steps);
});

it("joins what goes on in one direction, and nothing else", () => {
  const joined = runs([
    step(1, 100, 200),
    step(2, 200, 400),
    step(3, 400, 360),
    step(4, 360, 324),
    step(30, 324, 300),
    step(31, 300, 200, 31_000, "memory"),
  ]);
  expect(joined.map((run) => [run.direction, run.steps.length])).toEqual([
    ["up", 2],
    ["down", 2],
    ["down", 1],
    ["down", 1],
  ]);
});

it("sees what a change leads to", () => {
  const led = (from: ReturnType<typeof plan>, to: ReturnType<typeof plan>) =>
    direction({ from, to });
  expect(led(plan(100, 2), plan(100, 3))).toBe("up");
  expect(led(plan(100, 4), plan(150, 1))).toBe("down");
  expect(led(plan(100, 4), plan(200, 2))).toBe("up");
  expect(led(plan(100, 4, 0), plan(100, 4, 5))).toBe("other");
});

it("says what changed, and only that", () => {
  const write = { size: String, concurrency: String, ms: (ms: number) => `${ms} ms` };
  expect(changes({ from: plan(100, 2, 0), to: plan(200, 2, 5) }, write)).toBe(
    "batch size 100 → 200, linger 0 ms → 5 ms",
  );
  expect(changes({ from: { ...plan(1), pace: null }, to: { ...plan(1), pace: 40 } }, write)).toBe(
    "pace none → 40/s",
  );
});

it("tells steps away and back as a trial, and trials around one plan as one", () => {
  const joined = runs([
    step(1, 100, 200),
    step(2, 200, 300),
    step(3, 300, 200),
    step(4, 200, 150),
    step(5, 150, 200),
    step(6, 200, 400),
  ]);
  expect(joined.map((run) => [run.direction, run.steps.map(({ number }) => number)])).toEqual([
    ["up", [1]],
    ["trial", [2, 3, 4, 5]],
    ["up", [6]],
  ]);
});

it("does not call a long way up and down again a trial of one step", () => {
  const joined = runs([step(1, 100, 200), step(2, 200, 300), step(3, 300, 150)]);
  expect(joined.map((run) => run.direction)).toEqual(["up", "down"]);
});

it("tells an outage as one, from its first opening to its end", () => {
  const change = (at_unix_ms: number, to: "closed" | "open" | "half_open", sink = "a") => ({
    sink,
    at_unix_ms,
    to,
    reason: `at ${at_unix_ms}`,
  });
  const ended = outages([
    change(1, "open"),
    change(2, "half_open"),
    change(3, "open"),
    change(4, "open", "b"),
    change(5, "half_open"),
    change(6, "closed"),
    change(7, "half_open", "b"),
    change(8, "closed", "c"),
  ]);
  expect(ended).toEqual([
    { sink: "a", fromMs: 1, toMs: 6, again: 1, isProbing: false, reason: "at 1" },
    { sink: "b", fromMs: 4, toMs: null, again: 0, isProbing: true, reason: "at 4" },
  ]);
});

it("tells a sawtooth as one, and a long climb for itself", () => {
  const climb = [step(1, 100, 200), step(2, 200, 400), step(3, 400, 3200)];
  const saw = Array.from({ length: 12 }, (_, at) =>
    at % 2 === 0 ? step(4 + at, 3200, 2900 + at) : step(4 + at, 2900 + at - 1, 3200 - at),
  );
  const all = told([...climb, ...saw]);
  expect(all.map((run) => [run.direction, run.steps.length])).toEqual([
    ["up", 3],
    ["around", 12],
  ]);
  expect(all.flatMap((run) => run.steps)).toEqual([...climb, ...saw]);
});

it("ends an outage with the server that had it", () => {
  const change = (at_unix_ms: number, to: "closed" | "open") => ({
    sink: "a",
    at_unix_ms,
    to,
    reason: "",
  });
  const spans = (...told: Parameters<typeof outages>) =>
    outages(...told).map(({ fromMs, toMs }) => [fromMs, toMs]);
  expect(spans([change(1, "open")], [5])).toEqual([[1, 5]]);
  expect(spans([change(1, "open"), change(9, "open")], [5])).toEqual([
    [1, 5],
    [9, null],
  ]);
  expect(spans([change(6, "open")], [5])).toEqual([[6, null]]);
});
