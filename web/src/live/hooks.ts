// How do views see what is live? They are rendered when a tick has come, four times a second, and only
// the parts that ask for it.

import { createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Connection } from "../api/stream";
import type { Snapshot, Tick } from "../api/types";
import type { LaneNow, Live } from "./live";

export const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("no live state around this part");
  return live;
}

/** The last tick. */
export function useTick(): Tick | null {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => live.tick);
}

export function useSnapshot(): Snapshot | null {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => live.snapshot);
}

export function useConnection(): Connection {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => live.connection);
}

/** Changes when there is something new to tell: a decision, a breaker, a break. */
export function useVersion(): number {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => live.version);
}

/** A lane as of the last tick. */
export function useLane(key: string): LaneNow | null {
  const live = useLive();
  useTick();
  return live.lane(key);
}

/** The server's clock, to the second. */
export function useSecond(): number {
  const live = useLive();
  const [now, setNow] = useState(() => live.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(live.now()), 1000);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}
