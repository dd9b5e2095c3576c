// What stands beside a lane's strips: the plan within its bounds, the breaker and the budget of
// retries, why batches left and what came of them, and the parts of a load score.

import { useEffect, useState } from "react";
import { getJson, query } from "../../api/client";
import type { Curve, LaneFacts, LoadScore } from "../../api/types";
import {
  bytes,
  concurrency,
  count,
  digits,
  duration,
  percent,
  rate,
  text,
  whole,
} from "../../format/number";
import { clock, span } from "../../format/time";
import { useLane, useLive, useVersion } from "../../live/hooks";
import { Meter } from "../../ui/Meter";
import { Status } from "../../ui/Status";
import { BREAKER } from "../overview/Story";

export function PlanPanel({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  if (!lane) return null;
  const { plan } = lane.now;
  const { bounds, first_plan } = facts;
  const size = position(plan.batch_size, bounds.batch_size_min, bounds.batch_size_max);
  const parallel = position(plan.concurrency, 0, bounds.concurrency_max);
  return (
    <section className="panel" aria-labelledby="plan">
      <div className="panel-head">
        <h2 id="plan">Plan</h2>
        <span className="fine">by {facts.controller}</span>
        {lane.now.braking ? (
          <span className="end">
            <Status shape="lozenge" tone="warn">
              held by a guard
            </Status>
          </span>
        ) : null}
      </div>
      <dl className="panel-body plan">
        <Bounded
          name="Batch size"
          value={`${whole(plan.batch_size)} events`}
          bounds={`${whole(bounds.batch_size_min)} to ${whole(bounds.batch_size_max)}, began with ${whole(first_plan.batch_size)}`}
          share={size}
        />
        <Bounded
          name="Concurrency"
          value={`${concurrency(plan.concurrency).value} in flight`}
          bounds={`up to ${whole(bounds.concurrency_max)}, began with ${concurrency(first_plan.concurrency).value}`}
          share={parallel}
        />
        <Bounded
          name="Linger"
          value={text(duration(plan.linger_ms))}
          bounds={`up to ${text(duration(bounds.linger_ms_max))}`}
          share={bounds.linger_ms_max > 0 ? plan.linger_ms / bounds.linger_ms_max : 0}
        />
        <Fact name="Pace">
          {plan.pace === null ? "no limit" : text(rate(plan.pace, "attempts"))}
        </Fact>
        <Fact name="Batch in bytes">at most {text(bytes(bounds.batch_bytes_max))}</Fact>
        <Fact name="Target">{text(duration(facts.target_ms))} an attempt</Fact>
        <Fact name="Timeout">{text(duration(facts.timeout_ms))}</Fact>
        <Fact name="Queue">
          {whole(facts.queue_items_max)} events, {text(bytes(facts.queue_bytes_max))}
        </Fact>
      </dl>
    </section>
  );
}

/** Where a value stands between its bounds, in powers of ten. */
function position(value: number, min: number, max: number): number {
  if (max <= min || value <= 0) return 0;
  const low = Math.max(min, 1e-2);
  return Math.log(value / low) / Math.log(max / low);
}

function Bounded(props: { name: string; value: string; bounds: string; share: number }) {
  return (
    <div className="bounded">
      <dt>{props.name}</dt>
      <dd className="bounded-value">{props.value}</dd>
      <dd>
        <Meter
          label={`${props.name} within its bounds`}
          share={props.share}
          text={`${props.value}, ${props.bounds}`}
        />
      </dd>
      <dd className="fine">{props.bounds}</dd>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Changes of the breaker that are shown. */
const HISTORY = 8;

export function BreakerPanel({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  const live = useLive();
  useVersion();
  if (!lane) return null;
  const { sink, sinkFacts } = lane;
  const [shape, tone] = BREAKER[sink.breaker];
  const history = live.transitions
    .filter((one) => one.sink === facts.sink)
    .slice(-HISTORY)
    .toReversed();
  const until = sink.open_until_unix_ms;
  return (
    <section className="panel" aria-labelledby="breaker">
      <div className="panel-head">
        <h2 id="breaker">Breaker and retries</h2>
        <span className="fine">of the sink</span>
        <span className="end">
          <Status shape={shape} tone={tone}>
            {sink.breaker.replace("_", " ")}
          </Status>
        </span>
      </div>
      <dl className="panel-body plan">
        {until === null ? null : (
          <Fact name="Next probe">in {text(duration(Math.max(0, until - live.now())))}</Fact>
        )}
        <Fact name="Opens after">{whole(sink.threshold)} failures in a row</Fact>
        <Fact name="Opened">{whole(sink.opened)} times</Fact>
        <Fact name="Usually fails">{text(percent(sink.usual_error_rate))} of attempts</Fact>
        <Bounded
          name="Retry budget"
          value={`${digits(sink.retry_budget_left)} retries`}
          bounds={`could leave at once, of at most ${whole(sinkFacts.retry_budget_max)}`}
          share={
            sinkFacts.retry_budget_max > 0 ? sink.retry_budget_left / sinkFacts.retry_budget_max : 0
          }
        />
        <Fact name="When its share is full">
          {sinkFacts.on_full === "detach" ? "detach" : "block producers"}
        </Fact>
        <Fact name="Held in the journal">
          {text(bytes(sink.held_bytes))} of {text(bytes(sinkFacts.held_bytes_max))}
        </Fact>
      </dl>
      {history.length > 0 ? (
        <ol className="transitions" aria-label="History of the breaker">
          {history.map((one) => {
            const [itsShape, itsTone] = BREAKER[one.to];
            return (
              <li key={`${one.number}/${one.at_unix_ms}`}>
                <Status shape={itsShape} tone={itsTone}>
                  <span className="nowrap">{clock(one.at_unix_ms)}</span>
                </Status>
                <span>
                  {one.to.replace("_", " ")}: <span className="note">{one.reason}</span>
                </span>
              </li>
            );
          })}
        </ol>
      ) : (
        <p className="panel-foot fine">
          It has not opened since the server began,{" "}
          {span(live.now() - (live.snapshot?.server.started_unix_ms ?? 0))} ago.
        </p>
      )}
    </section>
  );
}

/** What each reason and outcome means, for those who read them the first time. */
const MEANINGS: Readonly<Record<string, string>> = {
  size: "the batch was full",
  bytes: "it reached its bound in bytes",
  linger: "its oldest event had waited long enough",
  manual: "somebody asked",
  drain: "the lane is closing",
  priority: "an event must not wait",
  ok: "delivered",
  partial: "delivered in part",
  throttled: "the backend asked to slow down",
  too_large: "the backend said it is too large",
  overloaded: "the backend is overloaded",
  timed_out: "no answer in time",
  unreachable: "no connection",
  rejected: "the backend refused the data",
};

export function CountsPanel({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  if (!lane) return null;
  const { now } = lane;
  return (
    <section className="panel" aria-label="Counts">
      <Counts title="Why batches left" counts={now.flushes} />
      <Counts title="What came of attempts" counts={now.outcomes} />
      {now.retries > 0 ? (
        <Counts title="Retries, by what had failed" counts={now.retries_after} />
      ) : null}
      <dl className="panel-body plan">
        <Fact name="Delivered">{text(count(now.delivered, "events"))}</Fact>
        <Fact name="Over the target">
          {whole(now.misses)} of {whole(now.attempts)} attempts
        </Fact>
        {now.filtered > 0 ? (
          <Fact name="Kept from it by its condition">{text(count(now.filtered, "events"))}</Fact>
        ) : null}
        {now.missed > 0 ? (
          <Fact name="Missed while detached">{text(count(now.missed, "events"))}</Fact>
        ) : null}
      </dl>
    </section>
  );
}

function Counts({ title, counts }: { title: string; counts: Readonly<Record<string, number>> }) {
  const all = Object.entries(counts).filter(([, times]) => times > 0);
  all.sort(([, a], [, b]) => b - a);
  const sum = all.reduce((total, [, times]) => total + times, 0);
  return (
    <div className="counts">
      <h2>{title}</h2>
      {sum === 0 ? <p className="fine">none yet</p> : null}
      <dl>
        {all.map(([name, times]) => (
          <div key={name} title={MEANINGS[name]}>
            <dt>{name.replace("_", " ")}</dt>
            <dd className="num">{text(count(times))}</dd>
            <dd className="num fine">{text(percent(times / sum))}</dd>
            <dd className="counts-bar" aria-hidden="true">
              <i style={{ width: `${(times / sum) * 100}%` }} />
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

const EVERY_MS = 2_000;

export function LoadScorePanel({ facts }: { facts: LaneFacts }) {
  const [score, setScore] = useState<LoadScore | null>(null);
  const hasScore = useLane(facts.key)?.now.load_score !== null;
  useEffect(() => {
    if (!hasScore) return;
    const abort = new AbortController();
    const look = () =>
      getJson<Curve>(`/api/curve${query({ lane: facts.key, points: 0 })}`, abort.signal)
        .then(({ learnt }) => setScore(learnt.load_score))
        // It is looked up again; the lane's own error says what is wrong with the server.
        .catch(() => undefined);
    void look();
    const timer = setInterval(() => !document.hidden && void look(), EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [facts.key, hasScore]);
  if (!hasScore || !score) return null;
  return (
    <section className="panel" aria-labelledby="load">
      <div className="panel-head">
        <h2 id="load">Load score</h2>
        <span className="fine">0 is idle, 1 overloaded</span>
      </div>
      <dl className="panel-body plan">
        <Bounded
          name="Mean, which counts"
          value={digits(score.mean)}
          bounds={`grows below ${digits(score.grow_below)}, shrinks above ${digits(score.shrink_above)}; last ${digits(score.last)}`}
          share={score.mean}
        />
        {score.parts.map((part) => (
          <Bounded
            key={part.name}
            name={part.name.replaceAll("_", " ")}
            value={`adds ${digits(part.adds)}`}
            bounds={`${part.value === null ? "not reported" : digits(part.value)} of ${digits(part.full)}, weight ${digits(part.weight)}`}
            share={part.weight > 0 ? part.adds / part.weight : 0}
          />
        ))}
      </dl>
    </section>
  );
}
