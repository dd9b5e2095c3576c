// Is what is shown true? The bar says so at all times; a banner says it plainly when it is not.

import type { Connection } from "../api/stream";
import { clock, span } from "../format/time";
import { useConnection, useLive, useSecond, useTick } from "../live/hooks";
import { type Shape, Status, type Tone } from "../ui/Status";

const WORDS: Record<Connection["state"], readonly [Shape, Tone, string]> = {
  connecting: ["half", "idle", "Connecting"],
  live: ["disc", "ok", "Live"],
  stale: ["triangle", "warn", "Stale"],
  disconnected: ["square", "bad", "Disconnected"],
  unauthorized: ["bars", "idle", "Token needed"],
};

export function ConnectionState() {
  const { state } = useConnection();
  const [shape, tone, word] = WORDS[state];
  return (
    <span className="connection" data-state={state}>
      <Status shape={shape} tone={tone}>
        {word}
      </Status>
    </span>
  );
}

export function ConnectionBanner() {
  const connection = useConnection();
  if (connection.state === "stale") return <StaleBanner sinceMs={connection.sinceMs} />;
  if (connection.state === "disconnected") return <LostBanner {...connection} />;
  return null;
}

function StaleBanner({ sinceMs }: { sinceMs: number }) {
  useSecond();
  return (
    <div className="banner">
      <Status shape="triangle" tone="warn">
        <strong>Nothing new for {span(Date.now() - sinceMs)}.</strong>
      </Status>
      <span className="note">The connection is open; what is shown is as of {clock(sinceMs)}.</span>
    </div>
  );
}

function LostBanner({ sinceMs, why }: { sinceMs: number; why: string }) {
  const live = useLive();
  useSecond();
  const reason = live.lastBye?.message ?? why;
  const last = live.tick?.at_unix_ms;
  return (
    <div className="banner bad">
      <Status shape="square" tone="bad">
        <strong>Disconnected for {span(Date.now() - sinceMs)}.</strong>
      </Status>
      <span className="note">
        {reason} {last ? `What is shown is as of ${clock(last)}. ` : ""}Trying again by itself.
      </span>
      <button type="button" className="button" onClick={() => live.retry()}>
        Try now
      </button>
    </div>
  );
}

/** The one live region: the connection, and troubles as they come and go. */
export function Announcer() {
  const { state } = useConnection();
  const troubles = useTick()?.troubles ?? [];
  const isTrue = state === "live" || state === "connecting";
  return (
    <div className="visually-hidden" role="status">
      {isTrue ? troubles.join(". ") : WORDS[state][2]}
    </div>
  );
}
