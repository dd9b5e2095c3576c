// What does it cost the machine, and what is about to give? Each resource with its thresholds, its
// trend and its last hour; the journal with its fsyncs, and how far each lane has come in it.

import { useMemo } from "react";
import type { LaneFacts, Tick, Usage } from "../../api/types";
import { lanePath } from "../../app/router";
import { StripChart, type StripChartProps } from "../../chart/StripChart";
import type { Line } from "../../chart/strip";
import { byteRate, bytes, count, duration, percent, rate, text, whole } from "../../format/number";
import type { TotalColumn } from "../../live/columns";
import { useLive, useSnapshot, useTick } from "../../live/hooks";
import { Figure } from "../../ui/Figure";
import { Link } from "../../ui/Link";
import { Meter } from "../../ui/Meter";
import { type Shape, Status, type Tone } from "../../ui/Status";
import { RangePicker, useWindow } from "../common/range";

type Value = number | null | undefined;
const share = (value: Value) => text(percent(value));
const size = (value: Value) => text(bytes(value));
const sizeRate = (value: Value) => text(byteRate(value));
const ms = (value: Value) => text(duration(value));
const short = (figure: string) => figure.replace(/\.0+(?=\D|$)/, "");
const axisShare = (value: number) => short(share(value));
const axisSize = (value: number) => (value === 0 ? "0" : short(size(value)));
const cores = (value: Value) =>
  value === null || value === undefined ? "–" : `${value.toFixed(2)} cores`;

export function Resources() {
  const tick = useTick();
  if (!tick) return null;
  const { resources } = tick;
  const disk = resources.disk_use;
  return (
    <>
      <div className="view-head">
        <h1>Resources</h1>
        <div className="end">
          <RangePicker />
        </div>
      </div>
      <div className="resource-grid live-part">
        <ResourcePanel
          name="Processor"
          usage={resources.host_cpu}
          says={`this process keeps ${resources.process_cpu_cores.toFixed(2)} of ${whole(resources.host_cores)} cores busy`}
          columns={CPU}
          lines={CPU_LINES}
          axis={axisShare}
          axisRight={(value) => value.toFixed(1)}
        />
        <ResourcePanel
          name="Memory"
          usage={resources.host_memory}
          says={`${size(resources.host_memory_used_bytes)} of ${size(resources.host_memory_bytes)}; this process holds ${size(resources.process_memory_bytes)}`}
          columns={MEMORY}
          lines={MEMORY_LINES}
          axis={axisShare}
          axisRight={axisSize}
          binary="right"
        />
        <ResourcePanel
          name="Disk"
          usage={resources.disk}
          says={
            disk
              ? `${size(disk.free_bytes)} of ${size(disk.bytes)} free; this process writes ${sizeRate(disk.written_bytes_per_second)} and reads ${sizeRate(disk.read_bytes_per_second)}`
              : "it cannot be told which disk has the data directory"
          }
          columns={DISK}
          lines={DISK_LINES}
          axis={axisShare}
        />
        <ResourcePanel
          name="Network"
          says={`${sizeRate(resources.network.received_bytes_per_second)} in and ${sizeRate(resources.network.sent_bytes_per_second)} out, all interfaces but loopback`}
          columns={NETWORK}
          lines={NETWORK_LINES}
          axis={axisSize}
          binary="left"
        />
      </div>
      <JournalPanel tick={tick} />
      <Cursors tick={tick} />
    </>
  );
}

const CPU: readonly TotalColumn[] = ["host_cpu", "process_cpu_cores"];
const CPU_LINES: readonly Line[] = [
  { label: "host", ink: "series-3", format: share },
  { label: "this process", ink: "series-1", format: cores, width: 1.8, right: true },
];
const MEMORY: readonly TotalColumn[] = ["host_memory", "process_memory_bytes"];
const MEMORY_LINES: readonly Line[] = [
  { label: "host", ink: "series-3", format: share },
  { label: "this process", ink: "series-1", format: size, width: 1.8, right: true },
];
const DISK: readonly TotalColumn[] = ["disk"];
const DISK_LINES: readonly Line[] = [
  { label: "in use", ink: "series-1", format: share, width: 1.8 },
];
const NETWORK: readonly TotalColumn[] = [
  "network_received_bytes_per_second",
  "network_sent_bytes_per_second",
];
const NETWORK_LINES: readonly Line[] = [
  { label: "in", ink: "series-3", format: sizeRate },
  { label: "out", ink: "series-1", format: sizeRate, width: 1.8 },
];

const LEVELS = {
  ok: ["disc", "ok", "fine"],
  warn: ["triangle", "warn", "high"],
  critical: ["square", "bad", "critical"],
} as const satisfies Record<Usage["level"], readonly [Shape, Tone, string]>;

function ResourcePanel(props: {
  name: string;
  usage?: Usage;
  says: string;
  columns: readonly TotalColumn[];
  lines: readonly Line[];
  axis: (value: number) => string;
  axisRight?: (value: number) => string;
  binary?: StripChartProps["binary"];
}) {
  const { name, usage, says } = props;
  return (
    <section className="panel" aria-label={name}>
      <div className="panel-head">
        <h2>{name}</h2>
        {usage ? <Level usage={usage} /> : null}
      </div>
      <div className="panel-body">
        {usage ? <UsageMeter name={name} usage={usage} /> : null}
        <p className="note resource-says">{says}</p>
        <TotalStrip title={`${name} over time`} {...props} />
      </div>
    </section>
  );
}

function Level({ usage }: { usage: Usage }) {
  const [shape, tone, word] = LEVELS[usage.level];
  return (
    <span className="end">
      <Status shape={shape} tone={tone}>
        {word}
      </Status>
    </span>
  );
}

function UsageMeter({ name, usage }: { name: string; usage: Usage }) {
  const trend = usage.trend_per_minute * 100;
  const moves =
    Math.abs(trend) < 0.05
      ? "steady"
      : `${trend > 0 ? "+" : "−"}${Math.abs(trend).toFixed(1)} points a minute`;
  return (
    <div className="usage">
      <span className="usage-value">
        <Figure of={percent(usage.share)} />
      </span>
      <span className="note">{moves}</span>
      <span className="fine usage-limits">
        high from {share(usage.warn_from)}, critical from {share(usage.critical_from)}
      </span>
      <Meter
        label={`${name} in use`}
        share={usage.share}
        text={share(usage.share)}
        warn={usage.warn_from}
        bad={usage.critical_from}
      />
    </div>
  );
}

/** A strip of what is known of the server as a whole. */
function TotalStrip(props: {
  title: string;
  columns: readonly TotalColumn[];
  lines: readonly Line[];
  axis: (value: number) => string;
  axisRight?: (value: number) => string;
  binary?: StripChartProps["binary"];
  height?: number;
}) {
  const { title, columns, lines, axis, axisRight, height = 110 } = props;
  const live = useLive();
  const window = useWindow();
  const chart = useMemo(
    (): Pick<StripChartProps, "read" | "onFresh"> => ({
      onFresh: live.subscribe,
      read: () => {
        const { from, to } = window();
        return { columns: live.totals.window(columns, from, to), from, to, gaps: live.gaps() };
      },
    }),
    [columns, live, window],
  );
  return (
    <StripChart
      title={title}
      lines={lines}
      axis={axis}
      height={height}
      sync="time"
      {...chart}
      {...(axisRight ? { axisRight } : {})}
      {...(props.binary ? { binary: props.binary } : {})}
    />
  );
}

const SIZE: readonly TotalColumn[] = ["journal_bytes"];
const SIZE_LINES: readonly Line[] = [
  { label: "bytes", ink: "series-1", format: size, width: 1.8, fill: true },
];
const SYNC: readonly TotalColumn[] = ["sync_mean_ms"];
const SYNC_LINES: readonly Line[] = [{ label: "mean", ink: "series-1", format: ms, width: 1.8 }];
const COMMITS: readonly TotalColumn[] = ["commits_per_second"];
const COMMITS_LINES: readonly Line[] = [
  { label: "commits", ink: "series-1", format: (value) => text(rate(value)), width: 1.8 },
];

function JournalPanel({ tick }: { tick: Tick }) {
  const { journal, resources } = tick;
  const syncs = journal.sync_ms;
  return (
    <section className="panel live-part" aria-labelledby="journal">
      <div className="panel-head">
        <h2 id="journal">Journal</h2>
        <span className="fine">
          {whole(journal.segments)} {journal.segments === 1 ? "segment" : "segments"}, positions{" "}
          {whole(journal.first)} to {whole(journal.durable)}
        </span>
        <Level usage={resources.journal} />
      </div>
      {journal.failed ? <p className="panel-body error-text">{journal.failed}</p> : null}
      {journal.trouble ? <p className="panel-body note">Last trouble: {journal.trouble}</p> : null}
      <div className="panel-body">
        <UsageMeter name="Journal" usage={resources.journal} />
      </div>
      <div className="strips">
        <TotalStrip title="Size" columns={SIZE} lines={SIZE_LINES} axis={axisSize} binary="left" />
        <TotalStrip
          title="Sync (fsync)"
          columns={SYNC}
          lines={SYNC_LINES}
          axis={(value) => short(ms(value))}
        />
        <TotalStrip
          title="Commits"
          columns={COMMITS}
          lines={COMMITS_LINES}
          axis={(value) => text(count(value))}
        />
      </div>
      <dl className="lane-foot">
        <Pair name="size">
          {size(journal.bytes)} of {size(journal.bytes_max)}
        </Pair>
        <Pair name="last sync">{ms(journal.sync_last_ms)}</Pair>
        <Pair name="syncs since the start">
          {syncs ? `p50 ${ms(syncs.p50)}, p99 ${ms(syncs.p99)}, longest ${ms(syncs.max)}` : "–"}
        </Pair>
        <Pair name="fresh events in memory">
          {size(journal.tail_bytes)} of {size(journal.tail_bytes_max)}
        </Pair>
        <Pair name="reads of a backlog from disk">{whole(journal.disk_reads)}</Pair>
        <Pair name="places that cannot be read">{whole(journal.unreadable)}</Pair>
        <Pair name="idempotency keys">{whole(journal.keys)}</Pair>
      </dl>
    </section>
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

function Cursors({ tick }: { tick: Tick }) {
  const lanes = useSnapshot()?.lanes ?? [];
  return (
    <section className="panel live-part" aria-labelledby="cursors">
      <div className="panel-head">
        <h2 id="cursors">Cursors</h2>
        <span className="fine">how far each lane has delivered</span>
      </div>
      <div className="table-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Lane</th>
              <th scope="col" className="num">
                Delivered below
              </th>
              <th scope="col" className="num">
                Behind
              </th>
              <th scope="col" className="num">
                Waiting
              </th>
              <th scope="col" className="num">
                Oldest
              </th>
              <th scope="col" className="num">
                Kept for it
              </th>
              <th scope="col">Of what the journal keeps</th>
            </tr>
          </thead>
          <tbody>
            {lanes.map((facts, place) => (
              <Cursor key={facts.key} facts={facts} place={place} tick={tick} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cursor({ facts, place, tick }: { facts: LaneFacts; place: number; tick: Tick }) {
  const lane = tick.lanes[place];
  if (!lane) return null;
  const { first, durable } = tick.journal;
  const behind = Math.max(0, durable - lane.low_water);
  const kept = durable > first ? behind / (durable - first) : 0;
  return (
    <tr>
      <th scope="row">
        <Link href={lanePath(facts.sink, facts.lane)}>{facts.key}</Link>
      </th>
      <td className="num">{whole(lane.low_water)}</td>
      <td className="num">{text(count(behind, "positions"))}</td>
      <td className="num">{text(count(lane.backlog, "events"))}</td>
      <td className="num">
        {ms(lane.oldest_seconds === null ? null : lane.oldest_seconds * 1000)}
      </td>
      <td className="num">{size(lane.held_bytes)}</td>
      <td>
        <Meter
          label={`${facts.key} behind`}
          share={kept}
          text={`${whole(behind)} positions behind`}
        />
      </td>
    </tr>
  );
}
