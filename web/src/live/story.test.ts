import { expect, it } from "vitest";
import { changes, type DecisionLike, direction, runs } from "./story";

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
  const told = runs([
    step(1, 100, 200),
    step(2, 200, 400),
    step(3, 400, 360),
    step(4, 360, 324),
    step(30, 324, 300),
    step(31, 300, 200, 31_000, "memory"),
  ]);
  expect(told.map((run) => [run.direction, run.steps.length])).toEqual([
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
