import { expect, it } from "vitest";
import type { RaceResult } from "../../api/types";
import { decisionAt, lengthOf, momentOf, together } from "./race";

const timeline = (at_s: number[], values: (number | null)[]) => ({
  at_s,
  goodput: values,
  latency_ms: values,
  batch_size: values,
  concurrency: values,
  failed: values,
});
const plan = { batch_size: 1, concurrency: 1, linger_ms: 0, pace: null };
const decision = (from_s: number, until_s: number) => ({
  from_s,
  until_s,
  count: 1,
  by: "aimd",
  reason: "",
  from: plan,
  to: plan,
});

it("looks into the point that a moment lies in", () => {
  const line = timeline([1, 2, 3], [10, null, 30]);
  expect([0, 0.5, 1, 1.5, 2.1, 3, 3.1].map((at) => momentOf(line, at).goodput)).toEqual([
    10,
    10,
    10,
    null,
    30,
    30,
    null,
  ]);
});

it("finds the decision in force", () => {
  const decisions = [decision(1, 4), decision(6, 6)];
  expect([0, 1, 5, 6, 90].map((at) => decisionAt(decisions, at)?.from_s ?? null)).toEqual([
    null,
    1,
    1,
    6,
    6,
  ]);
});

it("puts runners side by side, with a hole where one has no point", () => {
  const runner = { controller: "a", timeline: timeline([2, 3], [5, 6]), decisions: [] };
  const result = {
    seed: 1,
    oracle: timeline([1, 2], [7, 8]),
    remarks: [],
    runners: [runner],
  } as unknown as RaceResult;
  expect(together(result, "goodput")).toEqual({
    times: [1, 2, 3],
    columns: [
      [7, 8, null],
      [null, 5, 6],
    ],
  });
  expect(lengthOf(result)).toBe(3);
});
