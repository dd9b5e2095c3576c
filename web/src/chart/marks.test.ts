import { expect, it } from "vitest";
import { type Direction, groupMarks, type Mark, nearestGroup } from "./marks";

const mark = (at: number, direction: Direction = "up", value = at): Mark => ({
  at,
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

it("points to where most of them went, and in doubt to where the last went", () => {
  const one = groupMarks([mark(1, "up"), mark(2, "up"), mark(3, "down")], 10);
  expect(one).toHaveLength(1);
  expect(one[0]).toMatchObject({ at: 3, value: 3, direction: "up" });
  expect(groupMarks([mark(1, "up"), mark(2, "down")], 10)[0]?.direction).toBe("down");
});

it("finds the nearest within reach", () => {
  const groups = groupMarks([mark(1), mark(10), mark(20)], 2);
  expect(nearestGroup(groups, 12, 3)?.at).toBe(10);
  expect(nearestGroup(groups, 15, 3)).toBeNull();
});
