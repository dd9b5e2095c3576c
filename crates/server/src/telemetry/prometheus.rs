//! What does Prometheus scrape? The same figures, one family for each, with few labels.
//!
//! Names carry one prefix and end in their unit. Labels are the names of sinks and declared
//! classes, flush reasons and outcomes: all bounded by the configuration or by the code. So is the
//! number of series.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tidegate::breaker::Phase;
use tidegate::{FlushReason, Outcome};

use super::latency::{BUCKETS, Cumulative};
use crate::dead_letters::Total;
use crate::dead_letters::letter::Kind;
use crate::lane::outage::Seen;
use crate::lane::shared::{Shared as Lane, State};
use crate::status::Status;

/// The text that a scrape gets.
pub(crate) fn exposition(status: &Arc<Status>) -> String {
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(Figures(Arc::clone(status))));
    let mut text = String::new();
    // Writing to a string fails only if a metric is described twice, which a test would show.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Figures(Arc<Status>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut to = Encoder(&mut encoder);
        door(&self.0, &mut to)?;
        journal(&self.0, &mut to)?;
        lanes(&self.0.lanes, &mut to)?;
        failures(&self.0, &mut to)?;
        resources(&self.0, &mut to)
    }
}

/// Writes families of one series or of one for each lane.
struct Encoder<'a, 'b>(&'a mut DescriptorEncoder<'b>);

type Written = Result<(), std::fmt::Error>;

impl Encoder<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Written {
        let family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(family)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> Written {
        let family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        ConstGauge::new(value).encode(family)
    }

    fn lane_counter(
        &mut self,
        lanes: &[Arc<Lane>],
        (name, help): (&str, &str),
        value: impl Fn(&Lane) -> u64,
    ) -> Written {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for lane in lanes {
            let labels = [("sink", &*lane.sink), ("lane", &*lane.lane)];
            ConstCounter::new(value(lane)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn lane_gauge(
        &mut self,
        lanes: &[Arc<Lane>],
        (name, help): (&str, &str),
        unit: Option<&Unit>,
        value: impl Fn(&Lane) -> f64,
    ) -> Written {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for lane in lanes {
            let labels = [("sink", &*lane.sink), ("lane", &*lane.lane)];
            ConstGauge::new(value(lane)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A counter with one more label, whose values are fixed.
    fn lane_counters_by<const N: usize>(
        &mut self,
        lanes: &[Arc<Lane>],
        (name, help): (&str, &str),
        label: &'static str,
        values: impl Fn(&Lane) -> [(&'static str, u64); N],
    ) -> Written {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for lane in lanes {
            for (value, count) in values(lane) {
                let labels = [("sink", &*lane.sink), ("lane", &*lane.lane), (label, value)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn lane_histogram(
        &mut self,
        lanes: &[Arc<Lane>],
        (name, help): (&str, &str),
        value: impl Fn(&Lane) -> Cumulative,
    ) -> Written {
        let seconds = Some(&Unit::Seconds);
        let mut family = self.0.encode_descriptor(name, help, seconds, MetricType::Histogram)?;
        for lane in lanes {
            let labels = [("sink", &*lane.sink), ("lane", &*lane.lane)];
            let all = value(lane);
            let rest = all.count - all.buckets.iter().sum::<u64>();
            let buckets: Vec<(f64, u64)> =
                BUCKETS.into_iter().zip(all.buckets).chain([(f64::MAX, rest)]).collect();
            family.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(
                all.seconds,
                all.count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

fn door(status: &Status, to: &mut Encoder<'_, '_>) -> Written {
    let counts = &status.door.counts;
    let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    to.counter("requests", "Requests with events", of(&counts.requests))?;
    to.counter("events_accepted", "Events acknowledged", of(&counts.accepted))?;
    to.counter("events_rejected", "Events left out of partial requests", of(&counts.rejected))?;
    to.counter("requests_refused_client", "Requests refused with 4xx", of(&counts.refused_client))?;
    to.counter("requests_refused_server", "Requests refused for now", of(&counts.refused_server))?;
    to.counter(
        "requests_repeated",
        "Requests stored before, answered again",
        of(&counts.repeated),
    )?;
    to.counter("body_bytes", "Bytes of bodies as sent", of(&counts.bytes))?;
    let replaced = of(&counts.replaced_characters);
    to.counter("replaced_characters", "Characters that became U+FFFD", replaced)
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn journal(status: &Status, to: &mut Encoder<'_, '_>) -> Written {
    let stats = status.journal.stats();
    let bytes = Some(&Unit::Bytes);
    to.counter("journal_frames", "Requests appended", stats.frames)?;
    to.counter("journal_commits", "Writes, each followed by a sync with fsync", stats.commits)?;
    to.counter("journal_disk_reads", "Reads of a backlog from disk", stats.disk_reads)?;
    to.gauge("journal_keys", "Idempotency keys remembered", None, stats.keys as f64)?;
    to.gauge("journal_size", "Bytes of all segments", bytes, stats.bytes as f64)?;
    to.gauge("journal_size_max", "The bound of all segments", bytes, stats.bytes_max as f64)?;
    to.gauge("journal_tail", "Fresh events in memory", bytes, stats.tail_bytes as f64)?;
    to.gauge("journal_segments", "Segment files", None, stats.segments as f64)?;
    let mean = stats.syncs.mean().as_secs_f64();
    to.gauge("journal_sync_mean", "Mean duration of a sync", Some(&Unit::Seconds), mean)
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn lanes(lanes: &[Arc<Lane>], to: &mut Encoder<'_, '_>) -> Written {
    let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    to.lane_counter(lanes, ("events_delivered", "Events that the sink took"), |lane| {
        lane.engine().counters().items_delivered
    })?;
    to.lane_counters_by(
        lanes,
        ("retries", "Attempts with what had failed before"),
        "after",
        |lane| {
            std::array::from_fn::<_, { Outcome::LABELS.len() }, _>(|at| {
                (Outcome::LABELS[at], load(&lane.retries[at]))
            })
        },
    )?;
    to.lane_counter(lanes, ("misses", "Attempts slower than the target"), |lane| {
        load(&lane.misses)
    })?;
    to.lane_counter(lanes, ("events_filtered", "Events that were not for the sink"), |lane| {
        load(&lane.filtered)
    })?;
    to.lane_gauge(lanes, ("events_missed", "Events not kept while detached"), None, |lane| {
        load(&lane.missed) as f64
    })?;
    to.lane_gauge(lanes, ("held", "Journal kept for the lane"), Some(&Unit::Bytes), |lane| {
        load(&lane.held_bytes) as f64
    })?;
    to.lane_counter(lanes, ("decisions", "Changes of plan"), |lane| {
        lane.engine().history().total()
    })?;
    to.lane_counters_by(lanes, ("flushes", "Batches by why they left"), "reason", |lane| {
        let counters = *lane.engine().counters();
        FlushReason::ALL.map(|reason| (reason.label(), counters.left_for(reason)))
    })?;
    to.lane_counters_by(lanes, ("attempts", "Attempts by outcome"), "outcome", |lane| {
        let counts = lane.engine().counters().by_outcome;
        std::array::from_fn::<_, { Outcome::LABELS.len() }, _>(|at| {
            (Outcome::LABELS[at], counts[at])
        })
    })?;
    to.lane_gauge(lanes, ("batch_size", "Events in a full batch"), None, |lane| {
        f64::from(lane.engine().plan().batch_size)
    })?;
    to.lane_gauge(lanes, ("concurrency", "Attempts in flight at most"), None, |lane| {
        lane.engine().plan().concurrency
    })?;
    to.lane_gauge(lanes, ("linger", "Wait for company"), Some(&Unit::Seconds), |lane| {
        lane.engine().plan().linger.as_secs_f64()
    })?;
    to.lane_gauge(lanes, ("in_flight", "Attempts in flight"), None, |lane| {
        f64::from(lane.engine().in_flight())
    })?;
    to.lane_gauge(lanes, ("queue_items", "Events in the lane's queue"), None, |lane| {
        load(&lane.queue_items) as f64
    })?;
    to.lane_gauge(lanes, ("queue", "Bytes in the lane's queue"), Some(&Unit::Bytes), |lane| {
        load(&lane.queue_bytes) as f64
    })?;
    to.lane_gauge(lanes, ("lane_up", "1 while the sink takes batches"), None, |lane| {
        f64::from(u8::from(matches!(lane.state(), State::Running | State::Draining)))
    })?;
    to.lane_histogram(lanes, ("attempt_latency", "Send to answer, of an attempt"), |lane| {
        lane.attempt_latency().cumulative()
    })?;
    to.lane_histogram(lanes, ("delivery_latency", "Accepted to delivered, of an event"), |lane| {
        lane.delivery_latency().cumulative()
    })
}

/// Breakers, budgets and dead letters. Sinks that the configuration has no more are summed up, so
/// that what lies in a file does not decide how many series there are.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn failures(status: &Status, to: &mut Encoder<'_, '_>) -> Written {
    let now = status.clock.now();
    let seen: Vec<_> = status.outages.iter().map(|one| (&*one.sink, one.seen(now))).collect();
    let mut of_sinks = |name, help, value: &dyn Fn(&Seen) -> f64| -> Written {
        let mut family = to.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (sink, seen) in &seen {
            ConstGauge::new(value(seen)).encode(family.encode_family(&[("sink", *sink)])?)?;
        }
        Ok(())
    };
    of_sinks("breaker_state", "0 closed, 1 half-open, 2 open", &|seen| match seen.phase {
        Phase::Closed => 0.0,
        Phase::HalfOpen => 1.0,
        Phase::Open { .. } => 2.0,
    })?;
    of_sinks("retry_budget_left", "Retries that could leave at once", &|seen| seen.budget_left)?;
    let counter = MetricType::Counter;
    let mut family =
        to.0.encode_descriptor("breaker_transitions", "Changes of phase", None, counter)?;
    for (sink, seen) in &seen {
        ConstCounter::new(seen.transitions).encode(family.encode_family(&[("sink", *sink)])?)?;
    }
    let totals = status.replay.letters.totals();
    let known: Vec<&str> = seen.iter().map(|(sink, _)| *sink).collect();
    let gauge = MetricType::Gauge;
    let mut family = to.0.encode_descriptor("dead_letters", "Items given up", None, gauge)?;
    for sink in known.iter().copied().chain([""]) {
        for kind in Kind::ALL {
            let of = |total: &&Total| {
                let gone = sink.is_empty() && !known.contains(&&*total.sink);
                total.kind == kind.label() && (total.sink == sink || gone)
            };
            let items: u64 = totals.iter().filter(of).map(|total| total.items).sum();
            let labels = [("sink", sink), ("kind", kind.label())];
            ConstGauge::new(items as f64).encode(family.encode_family(&labels)?)?;
        }
    }
    let bytes = status.replay.letters.total().1 as f64;
    to.gauge("dead_letters_size", "Bytes of dead letters", Some(&Unit::Bytes), bytes)
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn resources(status: &Status, to: &mut Encoder<'_, '_>) -> Written {
    let seen = status.sampled.resources();
    let memory = seen.process_memory_bytes as f64;
    to.gauge("process_memory", "Memory of the process", Some(&Unit::Bytes), memory)?;
    to.gauge("process_cpu_cores", "Cores the process keeps busy", None, seen.process_cpu_cores)?;
    to.gauge("host_cpu_ratio", "Share of the host's processors in use", None, seen.host_cpu)?;
    to.gauge("watchers", "Who watches the live stream", None, status.live.watchers() as f64)?;
    let dropped = status.live.dropped();
    to.counter("watchers_dropped", "Watchers let go of since they read too slowly", dropped)?;
    let uptime = status.uptime().as_secs_f64();
    to.gauge("uptime", "Since the server began", Some(&Unit::Seconds), uptime)
}
