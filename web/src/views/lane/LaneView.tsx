// All that is known of one lane: its strips, the plan and its bounds, the curve it has learnt, what
// keeps it back, and every decision with its reason.

import type { LaneFacts } from "../../api/types";
import { lanePath, useParam } from "../../app/router";
import { useLane, useSnapshot } from "../../live/hooks";
import { Empty } from "../../ui/Blank";
import { Link } from "../../ui/Link";
import { Status } from "../../ui/Status";
import { RangePicker } from "../common/range";
import { standing } from "../common/state";
import { LaneStripChart, type StripName } from "../common/strips";
import { CurvePanel } from "./CurvePanel";
import { Decisions } from "./Decisions";
import { BreakerPanel, CountsPanel, LoadScorePanel, PlanPanel } from "./sides";

const STRIPS: readonly StripName[] = [
  "throughput",
  "size",
  "latency",
  "concurrency",
  "delivery",
  "waiting",
  "failing",
  "attempts",
];

export function LaneView({ sink, lane }: { sink: string; lane: string }) {
  const lanes = useSnapshot()?.lanes ?? [];
  const facts = lanes.find((one) => one.sink === sink && one.lane === lane);
  if (!facts) return <Unknown name={`${sink}/${lane}`} lanes={lanes} />;
  return (
    <>
      <Head facts={facts} />
      <div className="lane-grid">
        <div className="lane-main">
          <section className="panel live-part" aria-label="Over time">
            <div className="strips wide">
              {STRIPS.map((strip) => (
                <LaneStripChart key={strip} facts={facts} strip={strip} height={150} />
              ))}
            </div>
          </section>
          <CurvePanel facts={facts} />
        </div>
        <div className="lane-side live-part">
          <PlanPanel facts={facts} />
          <BreakerPanel facts={facts} />
          <CountsPanel facts={facts} />
          <LoadScorePanel facts={facts} />
        </div>
      </div>
      <Decisions lane={facts.key} />
    </>
  );
}

function Head({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  const [decision] = useParam("decision");
  const stands = lane ? standing(lane) : null;
  return (
    <>
      <nav className="crumbs" aria-label="Where this is">
        <Link href="/">Overview</Link>
        <span aria-hidden="true">›</span>
        <span>
          Lane of {lane?.sinkFacts.kind ?? "sink"} sink {facts.sink}
        </span>
      </nav>
      <div className="view-head">
        <h1>
          {facts.sink}
          <span className="lane-of">/{facts.lane}</span>
        </h1>
        {stands ? (
          <Status shape={stands.shape} tone={stands.tone}>
            {stands.word}
          </Status>
        ) : null}
        <p className="says">{lane?.now.says}</p>
        <div className="end">
          {decision ? (
            <Link className="button" href={lanePath(facts.sink, facts.lane)}>
              Leave decision {decision}
            </Link>
          ) : null}
          <RangePicker />
        </div>
        {lane?.now.why ? <p className="why">{lane.now.why}</p> : null}
      </div>
    </>
  );
}

function Unknown({ name, lanes }: { name: string; lanes: readonly LaneFacts[] }) {
  return (
    <div className="panel">
      <Empty title={`There is no lane ${name}`}>
        There {lanes.length === 1 ? "is" : "are"}{" "}
        {lanes.map(({ key, sink, lane }, at) => (
          <span key={key}>
            {at > 0 ? ", " : ""}
            <Link href={lanePath(sink, lane)}>{key}</Link>
          </span>
        ))}
        .
      </Empty>
    </div>
  );
}
