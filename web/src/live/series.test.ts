import { describe, expect, it } from "vitest";
import { lowerBound, SeriesStore, TIERS } from "./series";

const made = () => new SeriesStore({ rate: "mean", latency: "max", size: "last" });

describe("series", () => {
  it("hold no more than their tiers allow, however long they run", () => {
    const store = made();
    const most = TIERS.reduce(
      (sum, tier) => sum + Math.ceil((tier.keep / tier.step) * 1.25) + 1,
      0,
    );
    for (let at = 0; at < 4 * 3600 * 2; at += 1)
      store.push(1e9 + at / 4, { rate: at, latency: 1, size: 1 });
    expect(store.length).toBeLessThanOrEqual(most);
  });

  it("fold points of one step: mean of rates, worst latency, last size", () => {
    const store = made();
    for (const [at, value] of [1, 5, 3].entries()) {
      store.push(1000 + at * 0.25, { rate: value, latency: value, size: value });
    }
    const [times, rate, latency, size] = store.window(["rate", "latency", "size"], 0, 3000);
    expect([times, rate, latency, size]).toEqual([[1000], [3], [5], [3]]);
  });

  it("choose the finest resolution that reaches back, and the point before the window", () => {
    const store = made();
    for (let at = 0; at < 200; at += 0.25) store.push(1000 + at, { rate: at });
    const [fine] = store.window(["rate"], 1140, 1200);
    expect(fine[0]).toBe(1139.75);
    expect((fine[1] ?? 0) - (fine[0] ?? 0)).toBe(0.25);
    const [coarse] = store.window(["rate"], 1200 - 3600, 1200);
    expect((coarse[1] ?? 0) - (coarse[0] ?? 0)).toBe(10);
  });

  it("keep a hole: no line is drawn across what was not seen", () => {
    const store = made();
    store.push(1000, { rate: 1 });
    store.hole(1000);
    store.push(1060, { rate: 2 });
    for (const [from, to] of [
      [990, 1060],
      [0, 1060],
      [-2000, 1060],
    ] as const) {
      const [, rate] = store.window(["rate"], from, to);
      expect(rate).toEqual([1, null, 2]);
    }
  });

  it("keep what they promise to, while they forget the rest", () => {
    const store = made();
    const last = 1000 + 4000;
    for (let at = 1000; at <= last; at += 0.25) store.push(at, { rate: at });
    for (const span of [120, 600, 3600]) {
      const [times] = store.window(["rate"], last - span, last);
      expect(times[0]).toBeLessThanOrEqual(last - span);
      expect(times.at(-1)).toBeGreaterThan(last - 10.01);
    }
  });

  it("leave out what is older than the last point", () => {
    const store = made();
    store.push(1000, { rate: 1 });
    store.push(990, { rate: 9 });
    expect(store.window(["rate"], 900, 1000)[1]).toEqual([1]);
  });

  it("tell null from 0", () => {
    const store = made();
    store.push(1000, { rate: 0, latency: null });
    expect(store.window(["rate", "latency"], 900, 1000).slice(1)).toEqual([[0], [null]]);
  });
});

it("finds a place by halving", () => {
  expect([0, 1, 2, 3, 9].map((value) => lowerBound([1, 2, 2, 3], value))).toEqual([0, 0, 1, 3, 4]);
});
