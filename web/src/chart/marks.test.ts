import { expect, it } from "vitest";
import { type Direction, groupMarks, type Mark, nearestGroup } from "./marks";

const mark = (at: number, direction: Direction = "up", value = at, before = value - 1): Mark => ({
  at,
  before,
  value,
  direction,
  text: `at ${at}`,
  seq: at,
});

it("loses no mark and keeps groups apart, however many there are", () => {
  const marks = Array.from({ length: 1000 }, (_, at) => mark(at * 0.37));
  for (const apart of [0.1, 1, 7, 500]) {
    const groups = groupMarks(marks, apart);
    expect(groups.flatMap((group) => group.marks)).toEqual(marks);
    const begins = groups.map((group) => group.marks[0]?.at ?? 0);
    for (const [at, began] of begins.entries()) {
      if (at > 0) expect(began - (begins[at - 1] ?? 0)).toBeGreaterThanOrEqual(apart);
    }
  }
});

it("points to where the plan went in sum, however many steps went the other way", () => {
  const saw = [mark(1, "up", 110, 100), mark(2, "up", 120, 110), mark(3, "down", 90, 120)];
  expect(groupMarks(saw, 10)).toMatchObject([{ at: 3, value: 90, direction: "down" }]);
  expect(groupMarks([mark(1, "up", 110, 100), mark(2, "down", 100, 110)], 10)[0]?.direction).toBe(
    "other",
  );
  expect(groupMarks([mark(1, "other", 100, 100)], 10)[0]?.direction).toBe("other");
});

it("finds the nearest within reach", () => {
  const groups = groupMarks([mark(1), mark(10), mark(20)], 2);
  expect(nearestGroup(groups, 12, 3)?.at).toBe(10);
  expect(nearestGroup(groups, 15, 3)).toBeNull();
});
