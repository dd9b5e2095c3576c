// Which figures are kept over time? The series of the server's history, by the same names, and how a
// tick becomes a point of them.

import type { LaneTick, SinkTick, Tick } from "../api/types";
import type { Fold } from "./series";

export const LANE_COLUMNS = {
  in_per_second: "mean",
  out_per_second: "mean",
  attempts_per_second: "mean",
  errors_per_second: "mean",
  retries_per_second: "mean",
  misses_per_second: "mean",
  items_per_attempt: "mean",
  backlog: "max",
  queue_items: "max",
  oldest_seconds: "max",
  in_flight: "mean",
  attempt_p50_ms: "mean",
  attempt_p95_ms: "max",
  attempt_p99_ms: "max",
  delivery_p50_ms: "mean",
  delivery_p95_ms: "max",
  delivery_p99_ms: "max",
  batch_size: "last",
  concurrency: "last",
  linger_ms: "last",
  load_score: "mean",
  breaker: "max",
} as const satisfies Record<string, Fold>;

export type LaneColumn = keyof typeof LANE_COLUMNS;

export const TOTAL_COLUMNS = {
  accepted_per_second: "mean",
  delivered_per_second: "mean",
  backlog: "max",
  oldest_seconds: "max",
  attempt_p99_ms: "max",
  delivery_p99_ms: "max",
  errors_per_second: "mean",
  retries_per_second: "mean",
  journal_bytes: "last",
  commits_per_second: "mean",
  sync_mean_ms: "max",
  host_cpu: "mean",
  process_cpu_cores: "mean",
  host_memory: "last",
  process_memory_bytes: "last",
  disk: "last",
  network_received_bytes_per_second: "mean",
  network_sent_bytes_per_second: "mean",
} as const satisfies Record<string, Fold>;

export type TotalColumn = keyof typeof TOTAL_COLUMNS;

const BREAKER = { closed: 0, half_open: 1, open: 2 } as const;

type Row<Name extends string> = Record<Name, number | null>;

/** A lane's point. */
export function laneRow(lane: LaneTick, sink: SinkTick | undefined): Row<LaneColumn> {
  return {
    in_per_second: lane.in_per_second,
    out_per_second: lane.out_per_second,
    attempts_per_second: lane.attempts_per_second,
    errors_per_second: lane.errors_per_second,
    retries_per_second: lane.retries_per_second,
    misses_per_second: lane.misses_per_second,
    items_per_attempt: lane.items_per_attempt,
    backlog: lane.backlog,
    queue_items: lane.queue_items,
    oldest_seconds: lane.oldest_seconds,
    in_flight: lane.in_flight,
    attempt_p50_ms: lane.attempt_ms?.p50 ?? null,
    attempt_p95_ms: lane.attempt_ms?.p95 ?? null,
    attempt_p99_ms: lane.attempt_ms?.p99 ?? null,
    delivery_p50_ms: lane.delivery_ms?.p50 ?? null,
    delivery_p95_ms: lane.delivery_ms?.p95 ?? null,
    delivery_p99_ms: lane.delivery_ms?.p99 ?? null,
    batch_size: lane.plan.batch_size,
    concurrency: lane.plan.concurrency,
    linger_ms: lane.plan.linger_ms,
    load_score: lane.load_score,
    breaker: sink ? BREAKER[sink.breaker] : null,
  };
}

/** The point of all lanes and the host together. */
export function totalRow({ totals, journal, resources }: Tick): Row<TotalColumn> {
  return {
    accepted_per_second: totals.accepted_per_second,
    delivered_per_second: totals.delivered_per_second,
    backlog: totals.backlog,
    oldest_seconds: totals.oldest_seconds,
    attempt_p99_ms: totals.attempt_p99_ms,
    delivery_p99_ms: totals.delivery_p99_ms,
    errors_per_second: totals.errors_per_second,
    retries_per_second: totals.retries_per_second,
    journal_bytes: journal.bytes,
    commits_per_second: journal.commits_per_second,
    sync_mean_ms: journal.sync_mean_ms,
    host_cpu: resources.host_cpu.share,
    process_cpu_cores: resources.process_cpu_cores,
    host_memory: resources.host_memory.share,
    process_memory_bytes: resources.process_memory_bytes,
    disk: resources.disk.share,
    network_received_bytes_per_second: resources.network.received_bytes_per_second,
    network_sent_bytes_per_second: resources.network.sent_bytes_per_second,
  };
}
