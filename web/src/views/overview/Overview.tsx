// What is the system doing, and is all well? One sentence, the figures that matter, and for each lane
// its strips; beside them what happened. Whoever looks at nothing else knows enough.

import { useParam } from "../../app/router";
import { bytes, count, duration, percent, rate, text } from "../../format/number";
import { useLive, useSnapshot, useTick } from "../../live/hooks";
import { Empty } from "../../ui/Blank";
import { Stat } from "../../ui/Figure";
import { Link } from "../../ui/Link";
import { Said } from "../../ui/Said";
import { Segments } from "../../ui/Segments";
import { Glyph } from "../../ui/Status";
import { RangePicker } from "../common/range";
import { worst } from "../common/state";
import { LanePanel } from "./LanePanel";
import { LaneRows } from "./LaneRows";
import { Story } from "./Story";

/** With more lanes than these a row each is the better beginning. */
const PANELS_MAX = 4;

export function Overview() {
  const lanes = useSnapshot()?.lanes ?? [];
  const usual = lanes.length > PANELS_MAX ? "rows" : "panels";
  const [shown, setShown] = useParam("lanes", usual);
  return (
    <>
      <div className="view-head">
        <Headline />
        <div className="end">
          {lanes.length > 1 ? (
            <Segments
              label="Lanes as"
              options={[
                ["panels", "Panels"],
                ["rows", "Rows"],
              ]}
              value={shown === "rows" ? "rows" : "panels"}
              onChange={setShown}
            />
          ) : null}
          <RangePicker />
        </div>
      </div>
      <Troubles />
      <TotalFigures />
      <div className="overview-grid">
        <div className="lanes live-part">
          {lanes.length === 0 ? (
            <div className="panel">
              <Empty title="No lane">The configuration has no sink.</Empty>
            </div>
          ) : shown === "rows" ? (
            <LaneRows lanes={lanes} />
          ) : (
            lanes.map((facts) => <LanePanel key={facts.key} facts={facts} />)
          )}
        </div>
        <Story />
      </div>
    </>
  );
}

function Headline() {
  const live = useLive();
  const tick = useTick();
  const all =
    live.snapshot?.lanes.map(({ key }) => live.lane(key)).filter((lane) => lane !== null) ?? [];
  const stands = worst(all);
  const said = tick?.says ?? "";
  return (
    <div className="headline">
      <Glyph shape={stands.shape} tone={stands.tone} />
      <h1 className={said.length > 90 ? "long" : ""}>
        <Said words={said} />
      </h1>
    </div>
  );
}

function Troubles() {
  const troubles = useTick()?.troubles ?? [];
  if (troubles.length === 0) return null;
  return (
    <ul className="panel troubles" aria-label="Troubles">
      {troubles.map((trouble) => (
        <li key={trouble}>
          <Glyph shape="triangle" tone="warn" />
          <Said words={trouble} />
        </li>
      ))}
    </ul>
  );
}

function TotalFigures() {
  const tick = useTick();
  if (!tick) return null;
  const { totals, ingest, resources, dead_letters, journal } = tick;
  const age = totals.oldest_seconds;
  return (
    <dl className="panel stats live-part">
      <Stat name="Events in" of={rate(totals.accepted_per_second)}>
        {text(rate(ingest.requests_per_second))} requests
      </Stat>
      <Stat name="Events out" of={rate(totals.delivered_per_second)}>
        {text(rate(totals.attempts_per_second))} attempts
      </Stat>
      <Stat name="Events waiting" of={count(totals.backlog)}>
        {age === null ? "nothing queued" : `oldest ${text(duration(age * 1000))}`}
      </Stat>
      <Stat name="Attempt p99" of={duration(totals.attempt_p99_ms)}>
        worst lane
      </Stat>
      <Stat name="Delivery p99" of={duration(totals.delivery_p99_ms)}>
        worst lane
      </Stat>
      <Stat name="Errors" of={rate(totals.errors_per_second)}>
        {text(rate(totals.retries_per_second))} retries
      </Stat>
      <Stat name="Memory" of={bytes(resources.process_memory_bytes)}>
        host {text(percent(resources.host_memory.share))} in use
      </Stat>
      <Stat
        name="Processor"
        of={count(Math.round(resources.process_cpu_cores * 100) / 100, "cores")}
      >
        host {text(percent(resources.host_cpu.share))} busy
      </Stat>
      <Stat name="Journal" of={bytes(journal.bytes)}>
        {text(percent(journal.bytes_max > 0 ? journal.bytes / journal.bytes_max : null))} of its
        bound
      </Stat>
      <Stat name="Dead letters" of={count(dead_letters.items)}>
        {dead_letters.items > 0 ? <Link href="/dead-letters">Look at them</Link> : "none given up"}
      </Stat>
    </dl>
  );
}
