// How does a lane stand? One shape, colour and word for each state, the worst of what is true.

import type { LaneNow } from "../../live/live";
import type { Shape, Tone } from "../../ui/Status";

export interface Standing {
  readonly shape: Shape;
  readonly tone: Tone;
  readonly word: string;
  /** For sorting and for the worst of several: larger is worse. */
  readonly weight: number;
}

const as = (shape: Shape, tone: Tone, word: string, weight: number): Standing => ({
  shape,
  tone,
  word,
  weight,
});

/** A lane whose oldest event has waited for longer is behind, in seconds; the server's sentence knows it too. */
const LONG = 10;

/** The standing of a lane and its sink. */
export function standing({ now, sink }: Pick<LaneNow, "now" | "sink">): Standing {
  if (sink.breaker === "open") return as("square", "bad", "breaker open", 9);
  if (now.state === "blocked") return as("square", "bad", "blocked", 8);
  if (sink.breaker === "half_open") return as("half", "warn", "probing", 7);
  if (now.state === "detached") return as("bars", "warn", "detached", 6);
  if (now.state === "retrying") return as("triangle", "warn", "retrying", 5);
  if (now.braking) return as("lozenge", "warn", "held by a guard", 4);
  if (now.state === "starting") return as("half", "idle", "starting", 3);
  if (now.oldest_seconds !== null && now.oldest_seconds > LONG)
    return as("triangle", "warn", "behind", 2.5);
  if (now.state === "draining") return as("half", "accent", "draining", 2);
  if (now.state === "stopped") return as("ring", "idle", "stopped", 1);
  const isIdle = now.backlog === 0 && now.in_flight === 0 && now.out_per_second === 0;
  return isIdle ? as("ring", "idle", "idle", 0) : as("disc", "ok", "running", 0);
}

/** The standing of the whole: that of the worst lane. */
export function worst(lanes: readonly Pick<LaneNow, "now" | "sink">[]): Standing {
  const all = lanes.map(standing);
  return all.reduce(
    (worse, one) =>
      one.weight > worse.weight || (worse.word === "idle" && one.word !== "idle") ? one : worse,
    all[0] ?? as("ring", "idle", "idle", 0),
  );
}
