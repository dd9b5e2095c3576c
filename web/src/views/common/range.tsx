// Which span of time is shown? The same for all strips of all views, in the address.

import { useCallback } from "react";
import { useParam } from "../../app/router";
import { useLive } from "../../live/hooks";
import { Segments } from "../../ui/Segments";

/** Spans with their length in seconds; the server keeps 2 min at 250 ms, 12 min at 1 s, an hour at 10 s. */
const RANGES = { "2m": 120, "10m": 600, "1h": 3600 } as const;
export type Range = keyof typeof RANGES;

const LABELS: readonly (readonly [Range, string])[] = [
  ["2m", "2 min"],
  ["10m", "10 min"],
  ["1h", "1 h"],
];

const USUAL: Range = "10m";
/** A page just opened on a server just started shows at least so much. */
const LEAST_S = 60;

export function useRange(): [Range, (range: Range) => void] {
  const [value, set] = useParam("range", USUAL);
  return [value in RANGES ? (value as Range) : USUAL, set];
}

export function RangePicker() {
  const [range, setRange] = useRange();
  return <Segments label="Time shown" options={LABELS} value={range} onChange={setRange} />;
}

/** The window now, in seconds since 1970: no longer than there is something to see. */
export function useWindow(): () => { from: number; to: number } {
  const live = useLive();
  const [range] = useRange();
  return useCallback(() => {
    const isLive = live.connection.state === "live";
    const last = (live.tick?.at_unix_ms ?? live.now()) / 1000;
    const to = isLive ? last : Math.max(live.now() / 1000, last);
    const first = live.totals.first ?? to;
    const length = Math.min(RANGES[range], Math.max(to - first, LEAST_S));
    return { from: to - length, to };
  }, [live, range]);
}
