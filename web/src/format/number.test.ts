import { describe, expect, it } from "vitest";
import {
  byteRate,
  bytes,
  count,
  digits,
  duration,
  percent,
  planText,
  rate,
  text,
  whole,
} from "./number";

describe("numbers", () => {
  it("have three significant digits, also where rounding carries", () => {
    expect([0, 0.004, 0.42, 1.234, 9.996, 36.61, 99.96, 412.4].map(digits)).toEqual([
      "0",
      "0",
      "0.42",
      "1.23",
      "10.0",
      "36.6",
      "100",
      "412",
    ]);
  });

  it("are a dash where nothing was measured, never 0", () => {
    for (const none of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const format of [count, rate, duration, bytes, percent, byteRate]) {
        expect(text(format(none))).toBe("–");
      }
    }
  });

  it("carry their unit", () => {
    expect(text(rate(99_430))).toBe("99.4 k/s");
    expect(text(rate(99_430, "events"))).toBe("99.4 k events/s");
    expect(text(rate(12))).toBe("12.0 /s");
    expect(text(rate(999.7))).toBe("1.00 k/s");
    expect(text(duration(0.0421))).toBe("42.1 µs");
    expect(text(duration(36.6))).toBe("36.6 ms");
    expect(text(duration(999.6))).toBe("1.00 s");
    expect(text(duration(124_000))).toBe("2:04 min");
    expect(text(duration(7_500_000))).toBe("2:05 h");
    expect(text(bytes(512))).toBe("512 B");
    expect(text(bytes(64 * 1024 * 1024))).toBe("64.0 MiB");
    expect(text(percent(0.0123))).toBe("1.2 %");
    expect(text(percent(-0.5))).toBe("−50 %");
  });

  it("keep counts exact until they are long", () => {
    expect(text(count(1420, "events"))).toBe("1,420 events");
    expect(text(count(2_500_000, "events"))).toBe("2.50 M events");
    expect(text(count(12_000))).toBe("12.0 k");
    expect(whole(-1234567)).toBe("−1,234,567");
    expect(planText({ batch_size: 1420, concurrency: 4 })).toBe("1,420 × 4");
    expect(planText({ batch_size: 20, concurrency: 0.5 })).toBe("20 × 0.50");
  });
});
