import { expect, it } from "vitest";
import { ago, clock, clockMinutes, dateTime, span, when } from "./time";

const at = new Date(2026, 10, 24, 9, 5, 7).getTime();

it("writes clock times with two digits each", () => {
  expect(clock(at)).toBe("09:05:07");
  expect(clockMinutes(at)).toBe("09:05");
  expect(dateTime(at)).toBe("2026-11-24 09:05:07");
});

it("leaves the date out while it is today's", () => {
  expect(when(at, at + 3_600_000)).toBe("09:05:07");
  expect(when(at, at + 86_400_000)).toBe("2026-11-24 09:05:07");
});

it("says how long ago in the largest unit that is exact enough", () => {
  expect(
    [500, 12_000, 89_000, 240_000, 7_200_000, 200_000_000].map((ms) => ago(at, at + ms)),
  ).toEqual(["just now", "12 s ago", "89 s ago", "4 min ago", "2 h ago", "2 d ago"]);
  expect(ago(at + 5_000, at)).toBe("just now");
  expect(span(90_000)).toBe("2 min");
});
