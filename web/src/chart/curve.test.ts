import { expect, it } from "vitest";
import { LogAxis, nearestPoint } from "./curve";

it("places every value within the span, in their order", () => {
  const axis = new LogAxis([3, 40, 900, 20_000], [50, 400]);
  const places = [3, 40, 900, 20_000].map((value) => axis.place(value));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  for (const place of places) {
    expect(place).toBeGreaterThanOrEqual(50);
    expect(place).toBeLessThanOrEqual(400);
  }
});

it("has few, round ticks over any span, and survives none at all", () => {
  for (const values of [[], [0], [1], [7, 7], [0.02, 30_000], [990, 1010]]) {
    const axis = new LogAxis(values, [0, 300]);
    const ticks = axis.ticks(8);
    expect(ticks.length).toBeLessThanOrEqual(8);
    for (const tick of ticks) expect(Number.isFinite(axis.place(tick))).toBe(true);
  }
  expect(new LogAxis([1, 1000], [0, 300]).ticks(12)).toEqual([
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000,
  ]);
});

it("finds the nearest point within reach", () => {
  const point = { items: 1, latency_ms: 1, outcome: "ok" };
  const placed = [
    { x: 0, y: 0, point },
    { x: 10, y: 0, point },
  ];
  expect(nearestPoint(placed, 7, 1)).toBe(placed[1]);
  expect(nearestPoint(placed, 40, 0)).toBeNull();
});
