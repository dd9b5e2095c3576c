// The column that tells what happened: read from the top, it is the answer to "what did it do, and why?"

import { useMemo } from "react";
import type { LaneFacts } from "../../api/types";
import { lanePath } from "../../app/router";
import { planText, whole } from "../../format/number";
import { clock, span } from "../../format/time";
import { type Entry, feed } from "../../live/feed";
import { useLive, useSnapshot, useVersion } from "../../live/hooks";
import { changes, extent, type Outage } from "../../live/story";
import { Empty } from "../../ui/Blank";
import { Link } from "../../ui/Link";
import { Glyph, type Shape, type Tone } from "../../ui/Status";
import { changed, WRITE } from "../common/strips";

const MOST = 60;

export function Story() {
  const live = useLive();
  const version = useVersion();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version says when there is something new
  const entries = useMemo(() => feed(live, MOST), [live, version]);
  return (
    <section className="panel story" aria-labelledby="story">
      <div className="panel-head">
        <h2 id="story">What happened</h2>
        <span className="fine">newest first</span>
      </div>
      {entries.length === 0 ? (
        <Empty title="No change of plan yet">
          Each one appears here with its reason, as soon as there is enough traffic to learn from.
        </Empty>
      ) : (
        <ol>
          {entries.map((entry) => (
            <li key={entry.key}>
              <EntryText entry={entry} />
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function EntryText({ entry }: { entry: Entry }) {
  if (entry.kind === "plan") return <PlanEntry entry={entry} />;
  if (entry.kind === "outage") return <OutageEntry outage={entry.outage} />;
  const { fromMs, toMs, reason, message } = entry.gap;
  const says = reason === "restarted" ? "the server was restarted" : "this page was away";
  const why =
    reason === "restarted"
      ? "nothing is known of the time between"
      : message || "filled in from the server's history";
  return (
    <Line
      shape="ring"
      tone="idle"
      times={toMs ? [fromMs, toMs] : [fromMs]}
      who=""
      says={says}
      why={why}
    />
  );
}

export const BREAKER = {
  open: ["square", "bad", "breaker open: nothing is sent"],
  half_open: ["half", "warn", "breaker half open: probes go"],
  closed: ["disc", "ok", "breaker closed: all is sent again"],
} as const satisfies Record<string, readonly [Shape, Tone, string]>;

function PlanEntry({ entry }: { entry: Extract<Entry, { kind: "plan" }> }) {
  const lanes = useSnapshot()?.lanes;
  const facts = lanes?.find(({ key }) => key === entry.lane);
  const { steps, direction } = entry.run;
  const [first, last] = [steps[0], steps[steps.length - 1] ?? steps[0]];
  const sum = { from: first.from, to: last.to };
  if (direction === "trial") {
    const plans = new Set(steps.map(({ to }) => planText(to))).size - 1;
    return (
      <Line
        mark="other"
        times={[first.at_unix_ms, last.at_unix_ms]}
        who={entry.lane}
        href={hrefOf(entry, facts, last.number)}
        says={`tried ${plans === 1 ? planText(first.to) : `${plans} other plans`}, stays at ${planText(last.to)}`}
        why={last.reason}
      />
    );
  }
  if (direction === "around") {
    const [low, high] = extent(steps).map(planText);
    return (
      <Line
        mark="other"
        times={[first.at_unix_ms, last.at_unix_ms]}
        who={entry.lane}
        href={hrefOf(entry, facts, last.number)}
        says={`${whole(steps.length)} changes between ${low} and ${high}, now ${planText(last.to)}`}
        why={last.reason}
      />
    );
  }
  const what = steps.length === 1 ? changed(first) : changes(sum, WRITE) || planText(last.to);
  const href = hrefOf(entry, facts, last.number);
  return (
    <Line
      mark={direction}
      times={steps.length > 1 ? [first.at_unix_ms, last.at_unix_ms] : [last.at_unix_ms]}
      who={entry.lane}
      href={href}
      says={what}
      steps={steps.length}
      why={last.reason}
    />
  );
}

/** The decision's own page; those of a server that is gone have none. */
function hrefOf(
  entry: Extract<Entry, { kind: "plan" }>,
  facts: LaneFacts | undefined,
  number: number,
): string | null {
  return facts && entry.isOpenable
    ? `${lanePath(facts.sink, facts.lane)}?decision=${number}`
    : null;
}

function Line(props: {
  shape?: Shape;
  tone?: Tone;
  mark?: "up" | "down" | "other";
  times: readonly number[];
  /** It still lasts. */
  isOpen?: boolean;
  who: string;
  href?: string | null;
  says: string;
  steps?: number;
  why: string;
}) {
  const [from, to] = props.times.map(clock);
  return (
    <div className="told">
      {props.mark ? (
        <PlanMark direction={props.mark} />
      ) : (
        <Glyph shape={props.shape ?? "ring"} tone={props.tone ?? "idle"} />
      )}
      <div>
        <div className="told-head">
          <span className="nowrap">
            {props.isOpen ? `since ${from}` : to && to !== from ? `${from} – ${to}` : from}
          </span>
          {props.href ? <Link href={props.href}>{props.who}</Link> : <span>{props.who}</span>}
          {(props.steps ?? 1) > 1 ? <span>{props.steps} steps</span> : null}
        </div>
        <div className="told-what">{props.says}</div>
        {props.why ? <div className="told-why">{props.why}</div> : null}
      </div>
    </div>
  );
}

/** The mark of a decision, as the strips draw it. */
export function PlanMark({ direction }: { direction: "up" | "down" | "other" }) {
  return (
    <svg
      className="plan-mark"
      width="12"
      height="12"
      viewBox="0 0 12 12"
      role="img"
      aria-label={SPOKEN[direction]}
    >
      {direction === "up" ? <path d="M6 1.5 11 10H1Z" fill="currentColor" /> : null}
      {direction === "down" ? (
        <path d="M6 10.2 1.6 2.4h8.8Z" fill="none" stroke="currentColor" strokeWidth="1.4" />
      ) : null}
      {direction === "other" ? <path d="M6 .8 11.2 6 6 11.2.8 6Z" fill="currentColor" /> : null}
    </svg>
  );
}

function OutageEntry({ outage }: { outage: Outage }) {
  const { sink, fromMs, toMs, again, isProbing, reason } = outage;
  const failed =
    again > 0 ? `, ${again === 1 ? "a probe" : `${whole(again)} rounds of probes`} failed` : "";
  if (toMs !== null) {
    const says = `breaker was open for ${span(toMs - fromMs)}${failed}`;
    return (
      <Line shape="disc" tone="ok" times={[fromMs, toMs]} who={sink} says={says} why={reason} />
    );
  }
  return (
    <Line
      shape={isProbing ? "half" : "square"}
      tone={isProbing ? "warn" : "bad"}
      times={[fromMs]}
      isOpen
      who={sink}
      says={`breaker open: nothing is sent but probes${failed}`}
      why={reason}
    />
  );
}

const SPOKEN = { up: "more at once", down: "less at once", other: "changed" } as const;
