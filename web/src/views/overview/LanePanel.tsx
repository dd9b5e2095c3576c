// A lane on the overview: how it stands in words, its six strips, and what a strip does not say.

import type { LaneFacts } from "../../api/types";
import { lanePath } from "../../app/router";
import { bytes, count, percent, text, whole } from "../../format/number";
import { useLane } from "../../live/hooks";
import { Link } from "../../ui/Link";
import { Status } from "../../ui/Status";
import { GainText } from "../common/Gain";
import { standing } from "../common/state";
import { LaneStripChart, type StripName } from "../common/strips";

const STRIPS: readonly StripName[] = [
  "throughput",
  "latency",
  "size",
  "waiting",
  "failing",
  "concurrency",
];

export function LanePanel({ facts }: { facts: LaneFacts }) {
  return (
    <section className="panel lane-panel" aria-label={`Lane ${facts.key}`}>
      <LaneHead facts={facts} />
      <div className="strips">
        {STRIPS.map((strip) => (
          <LaneStripChart key={strip} facts={facts} strip={strip} />
        ))}
      </div>
      <LaneFoot facts={facts} />
    </section>
  );
}

function LaneHead({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  if (!lane) return null;
  const { shape, tone, word } = standing(lane);
  return (
    <div className="panel-head">
      <h2>
        <Link className="lane-name" href={lanePath(facts.sink, facts.lane)}>
          {facts.sink}
          <span className="lane-of">/{facts.lane}</span>
        </Link>
      </h2>
      <Status shape={shape} tone={tone}>
        {word}
      </Status>
      <p className="says">{lane.now.says}</p>
      {lane.now.why ? <p className="why">{lane.now.why}</p> : null}
    </div>
  );
}

function LaneFoot({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  if (!lane) return null;
  const { now, sinkFacts } = lane;
  const saturation =
    now.plan.concurrency > 0 ? now.in_flight / Math.max(now.plan.concurrency, 1) : null;
  return (
    <dl className="lane-foot">
      <Pair name="saturation">
        {text(percent(saturation === null ? null : Math.min(saturation, 1)))} of{" "}
        {text(count(now.plan.concurrency))} in flight
      </Pair>
      <Pair name="queue">
        {text(percent(now.queue_items / facts.queue_items_max))} of {whole(facts.queue_items_max)}{" "}
        events, {text(bytes(now.queue_bytes))}
      </Pair>
      <Pair name="last batches left for">{now.flushed.length > 0 ? summed(now.flushed) : "–"}</Pair>
      <Pair name="over target">{whole(now.misses)} attempts</Pair>
      <Pair name="sink">{sinkFacts.kind}</Pair>
      <Pair name="controller">{facts.controller}</Pair>
      <Pair name="gain">
        <GainText lane={facts.key} />
      </Pair>
    </dl>
  );
}

function Pair({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** `size × 6, linger × 2`. */
function summed(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, times]) => (times > 1 ? `${reason} × ${times}` : reason))
    .join(", ");
}
