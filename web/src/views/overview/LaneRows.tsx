// Many lanes at once: a row each, with the figures that are compared, two to a cell, and three lines.

import type { LaneFacts } from "../../api/types";
import { lanePath } from "../../app/router";
import { concurrency, count, duration, rate, whole } from "../../format/number";
import { useLane } from "../../live/hooks";
import { Figure } from "../../ui/Figure";
import { Link } from "../../ui/Link";
import { Status } from "../../ui/Status";
import { standing } from "../common/state";
import { LaneStripChart } from "../common/strips";

export function LaneRows({ lanes }: { lanes: readonly LaneFacts[] }) {
  return (
    <div className="panel table-scroll">
      <table className="lane-rows">
        <thead>
          <tr>
            <th scope="col">Lane</th>
            <th scope="col" className="num">
              In, out
            </th>
            <th scope="col">Events</th>
            <th scope="col" className="num">
              Waiting, oldest
            </th>
            <th scope="col" className="num">
              p50, p99
            </th>
            <th scope="col">Attempt latency</th>
            <th scope="col" className="num">
              Errors, retries
            </th>
            <th scope="col" className="num">
              Plan, linger
            </th>
            <th scope="col">Batch size</th>
          </tr>
        </thead>
        <tbody>
          {lanes.map((facts) => (
            <Row key={facts.key} facts={facts} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const HEIGHT = 42;

function Row({ facts }: { facts: LaneFacts }) {
  const lane = useLane(facts.key);
  if (!lane) return null;
  const { now } = lane;
  const stands = standing(lane);
  const isOver = now.attempt_ms !== null && now.attempt_ms.p99 > facts.target_ms;
  return (
    <tr>
      <th scope="row">
        <Status shape={stands.shape} tone={stands.tone}>
          <Link href={lanePath(facts.sink, facts.lane)}>
            {facts.sink}
            <span className="lane-of">/{facts.lane}</span>
          </Link>{" "}
          <span className="fine">{stands.word}</span>
        </Status>
        <div className="fine row-says">{now.says}</div>
      </th>
      <td className="num">
        <Figure of={rate(now.in_per_second)} />
        <br />
        <Figure of={rate(now.out_per_second)} />
      </td>
      <td className="spark">
        <LaneStripChart facts={facts} strip="throughput" height={HEIGHT} bare />
      </td>
      <td className="num">
        <Figure of={count(now.backlog)} />
        <br />
        <Figure of={duration(now.oldest_seconds === null ? null : now.oldest_seconds * 1000)} />
      </td>
      <td className="num">
        <Figure of={duration(now.attempt_ms?.p50)} />
        <br />
        <span className={isOver ? "over" : ""}>
          <Figure of={duration(now.attempt_ms?.p99)} />
          {isOver ? <span className="visually-hidden">over the target</span> : null}
        </span>
      </td>
      <td className="spark">
        <LaneStripChart facts={facts} strip="latency" height={HEIGHT} bare />
      </td>
      <td className="num">
        <Figure of={rate(now.errors_per_second)} />
        <br />
        <Figure of={rate(now.retries_per_second)} />
      </td>
      <td className="num">
        {whole(now.plan.batch_size)} × {concurrency(now.plan.concurrency).value}
        <br />
        <Figure of={duration(now.plan.linger_ms)} />
      </td>
      <td className="spark">
        <LaneStripChart facts={facts} strip="size" height={HEIGHT} bare />
      </td>
    </tr>
  );
}
