import { describe, expect, it } from "vitest";
import { Turns } from "./turns";

const TICKS = Array.from({ length: 240 }, (_, at) => 1_700_000_000 + at / 4);

/** The ticks of a minute at which a strip is drawn. */
function drawn(turns: Turns, seconds: number, pixels: number): number[] {
  return TICKS.filter((to) => turns.isDue({ from: to - seconds, to }, pixels));
}

describe("turns", () => {
  it("draws each strip at least once a second, and at most twice, whatever a pixel lasts", () => {
    for (const [seconds, pixels] of [
      [60, 1400],
      [120, 400],
      [900, 400],
      [3600, 90],
    ] as const) {
      const times = drawn(new Turns(0), seconds, pixels);
      expect(times.length).toBeGreaterThanOrEqual(60);
      expect(times.length).toBeLessThanOrEqual(121);
      const waits = times.slice(1).map((time, at) => time - (times[at] ?? 0));
      expect(Math.max(...waits)).toBeLessThanOrEqual(1);
    }
  });

  it("spreads strips over the ticks", () => {
    const strips = Array.from({ length: 40 }, (_, place) => drawn(new Turns(place), 900, 400));
    for (const tick of TICKS.slice(4)) {
      expect(strips.filter((times) => times.includes(tick))).toHaveLength(10);
    }
  });

  it("draws another picture at once: another range, another moment, what was out of sight or filled in", () => {
    const turns = new Turns(0);
    const to = 1_700_000_000;
    expect(turns.isDue({ from: to - 120, to }, 400)).toBe(true);
    expect(turns.isDue({ from: to - 120, to: to + 0.25 }, 400)).toBe(false);
    expect(turns.isDue({ from: to - 900, to: to + 0.25 }, 400)).toBe(true);
    expect(turns.isDue({ from: to - 900, to: to + 0.25, at: to - 3 }, 400)).toBe(true);
    expect(turns.isDue({ from: to - 900, to: to + 0.25, at: to - 3 }, 400)).toBe(true);
    expect(turns.isDue({ from: to - 899.75, to: to + 0.5, at: to - 3 }, 400)).toBe(false);
    turns.reset();
    expect(turns.isDue({ from: to - 899.5, to: to + 0.75, at: to - 3 }, 400)).toBe(true);
  });
});
