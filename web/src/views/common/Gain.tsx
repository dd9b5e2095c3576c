// What is it worth? The gain over the plan that a lane began with, with its uncertainty, or why it
// cannot be told. It is an estimate from the attempts with each size, and says so.

import { useEffect, useState } from "react";
import { getJson, query } from "../../api/client";
import type { Curve, Gain } from "../../api/types";
import { digits, whole } from "../../format/number";

const EVERY_MS = 15_000;

/** The gain of a lane, looked up now and then. */
export function useGain(lane: string): Gain | null {
  const [gain, setGain] = useState<Gain | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const look = () =>
      getJson<Curve>(`/api/curve${query({ lane, points: 0 })}`, abort.signal)
        .then((curve) => setGain(curve.gain))
        // It is looked up again; until then the last one stands.
        .catch(() => undefined);
    void look();
    const timer = setInterval(() => !document.hidden && void look(), EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [lane]);
  return gain;
}

export function GainText({ lane }: { lane: string }) {
  const gain = useGain(lane);
  return <>{gain ? gainText(gain) : "–"}</>;
}

/** `× 2.41 over 100 (estimated, 2.10 to 2.73)`, or why not. */
export function gainText(gain: Gain): string {
  if (gain.kind === "unknown") return gain.why;
  const { ratio, low, high, first_batch_size } = gain;
  return `× ${digits(ratio)} a batch of ${whole(first_batch_size)} (estimated, ${digits(low)} to ${digits(high)})`;
}
