// Which decisions can be told apart at this width? Each change of plan is a mark on the series; where
// there are more than fit, those that share a few pixels share one mark, which points to where the
// plan went in sum and says how many there were.

/** A change of plan as a chart shows it. */
export interface Mark {
  readonly at: number;
  /** Where the series stands after it. */
  readonly value: number;
  readonly direction: Direction;
  readonly text: string;
  /** Identifies the decision, to open it. */
  readonly seq: number;
}

export type Direction = "up" | "down" | "other";

/** Marks that share a place. */
export interface MarkGroup {
  /** Of the last of them. */
  readonly at: number;
  readonly value: number;
  readonly direction: Direction;
  readonly marks: readonly Mark[];
}

/** Groups marks (in the order of time) so that groups are at least `apart` of the axis' unit apart. */
export function groupMarks(marks: readonly Mark[], apart: number): MarkGroup[] {
  const groups: Mark[][] = [];
  let began = Number.NEGATIVE_INFINITY;
  for (const mark of marks) {
    const group = groups.at(-1);
    if (group && mark.at - began < apart) group.push(mark);
    else {
      groups.push([mark]);
      began = mark.at;
    }
  }
  return groups.map(grouped);
}

function grouped(marks: readonly Mark[]): MarkGroup {
  const last = marks[marks.length - 1] as Mark;
  const count = (direction: Direction) =>
    marks.filter((mark) => mark.direction === direction).length;
  const [up, down] = [count("up"), count("down")];
  const direction = up === down ? last.direction : up > down ? "up" : "down";
  return { at: last.at, value: last.value, direction, marks };
}

/** The group nearest to `at`, if one is within `reach`. */
export function nearestGroup(
  groups: readonly MarkGroup[],
  at: number,
  reach: number,
): MarkGroup | null {
  let best: MarkGroup | null = null;
  for (const group of groups) {
    const distance = Math.abs(group.at - at);
    if (distance <= reach && (!best || distance <= Math.abs(best.at - at))) best = group;
  }
  return best;
}
