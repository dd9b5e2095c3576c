// What has it learnt of the backend? Each attempt as a point, how latency follows size, and where the
// plan stands on that curve. The same as a table for whoever cannot see it.

import { useCallback, useEffect, useRef, useState } from "react";
import { getJson, query } from "../../api/client";
import type { AttemptPoint, Curve, LaneFacts } from "../../api/types";
import { type CurveView, drawCurve, nearestPoint, type Placed } from "../../chart/curve";
import { onTheme } from "../../chart/theme";
import { bytes, duration, rate, text, whole } from "../../format/number";
import { clock } from "../../format/time";
import { useLive } from "../../live/hooks";
import { Empty, Failed, Loading } from "../../ui/Blank";
import { gainText } from "../common/Gain";

/** Points kept, as many as the server keeps. */
const POINTS = 1024;
const EVERY_MS = 10_000;
/** A thousand points are not drawn anew for each few that come. */
const POINTS_EVERY_MS = 1_000;
const HEIGHT = 320;

export function CurvePanel({ facts }: { facts: LaneFacts }) {
  const { curve, error, points } = useCurve(facts.key);
  return (
    <section className="panel" aria-labelledby="curve">
      <div className="panel-head">
        <h2 id="curve">Learnt curve</h2>
        <span className="fine">
          attempt latency against batch size, the last attempts as points
        </span>
      </div>
      <div className="panel-body">
        {error && !curve ? (
          <Failed error={error} />
        ) : !curve ? (
          <Loading what="the curve" />
        ) : points.length === 0 ? (
          <Empty title="No attempt yet">Each batch that is answered becomes a point here.</Empty>
        ) : (
          <>
            <CurveChart curve={curve} points={points} />
            <LearntFacts curve={curve} />
            <BinTable curve={curve} />
          </>
        )}
      </div>
    </section>
  );
}

/** The server's curve, renewed now and then, with the attempts of the stream on top. */
function useCurve(lane: string) {
  const live = useLive();
  const [curve, setCurve] = useState<Curve | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [points, setPoints] = useState<readonly AttemptPoint[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    const look = () =>
      getJson<Curve>(`/api/curve${query({ lane })}`, abort.signal)
        .then((next) => {
          setCurve(next);
          setPoints(next.points);
          setError(null);
        })
        .catch((why: Error) => !abort.signal.aborted && setError(why));
    void look();
    const timer = setInterval(() => !document.hidden && void look(), EVERY_MS);
    let seen = live.tick;
    let drawnAt = 0;
    let come: AttemptPoint[] = [];
    const stop = live.subscribe(() => {
      const { tick } = live;
      if (!tick || tick === seen) return;
      seen = tick;
      come = [...come, ...(live.lane(lane)?.now.points ?? [])].slice(-POINTS);
      const now = performance.now();
      if (come.length === 0 || document.hidden || now - drawnAt < POINTS_EVERY_MS) return;
      drawnAt = now;
      const fresh = come;
      come = [];
      setPoints((before) => [...before, ...fresh].slice(-POINTS));
    });
    return () => {
      abort.abort();
      clearInterval(timer);
      stop();
    };
  }, [lane, live]);
  return { curve, error, points };
}

function CurveChart({ curve, points }: { curve: Curve; points: readonly AttemptPoint[] }) {
  const live = useLive();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const placed = useRef<Placed[]>([]);
  const [over, setOver] = useState<Placed | null>(null);
  const draw = useCallback(() => {
    if (!canvas.current || !box.current) return;
    const view: CurveView = {
      points,
      bins: curve.bins,
      targetMs: curve.target_ms,
      size: live.lane(curve.lane)?.now.plan.batch_size ?? curve.plan.batch_size,
      learntSize: curve.learnt.batch_size,
    };
    placed.current = drawCurve(canvas.current, box.current.clientWidth, HEIGHT, view);
  }, [curve, live, points]);
  useEffect(() => {
    draw();
    const resize = new ResizeObserver(draw);
    if (box.current) resize.observe(box.current);
    const stop = onTheme(draw);
    return () => {
      resize.disconnect();
      stop();
    };
  }, [draw]);
  const move = (event: React.PointerEvent) => {
    const at = event.currentTarget.getBoundingClientRect();
    setOver(nearestPoint(placed.current, event.clientX - at.left, event.clientY - at.top));
  };
  const label = `Attempt latency against batch size: ${points.length} attempts, the plan at ${whole(curve.plan.batch_size)} events, target ${text(duration(curve.target_ms))}. The table below has the figures.`;
  return (
    <div className="curve" ref={box} onPointerMove={move} onPointerLeave={() => setOver(null)}>
      <canvas ref={canvas} role="img" aria-label={label} />
      <CurveKey />
      {over ? <PointTip placed={over} width={box.current?.clientWidth ?? 0} /> : null}
    </div>
  );
}

function CurveKey() {
  return (
    <div className="curve-key">
      <span className="key">
        <svg viewBox="0 0 14 8" aria-hidden="true">
          <circle cx="7" cy="4" r="2.6" fill="var(--series-1)" />
        </svg>
        delivered
      </span>
      <span className="key">
        <svg viewBox="0 0 14 8" aria-hidden="true">
          <path d="M4 1l6 6M4 7l6-6" stroke="var(--bad)" strokeWidth="1.6" />
        </svg>
        not delivered whole
      </span>
      <span className="key">
        <svg viewBox="0 0 14 8" aria-hidden="true">
          <path d="M0 4h14" stroke="var(--text)" strokeWidth="1.8" />
        </svg>
        median
      </span>
      <span className="key">
        <svg viewBox="0 0 14 8" aria-hidden="true">
          <path d="M0 4h14" stroke="var(--text-3)" strokeWidth="1.8" strokeDasharray="4 3" />
        </svg>
        p95
      </span>
    </div>
  );
}

function PointTip({ placed: { x, y, point }, width }: { placed: Placed; width: number }) {
  const attempt = point as AttemptPoint;
  const side = x > width / 2 ? { right: width - x + 12 } : { left: x + 12 };
  return (
    <div className="tip" style={{ ...side, top: Math.max(0, y - 30) }}>
      <strong>
        {whole(attempt.items)} events in {text(duration(attempt.latency_ms))}
      </strong>
      <div>
        {attempt.outcome}, {attempt.full ? "a full batch" : "not full"}, left for{" "}
        {attempt.flush ?? "a second time"}
      </div>
      <div className="fine">
        {clock(attempt.at_unix_ms)}, {text(bytes(attempt.bytes))}, {attempt.in_flight} in flight
      </div>
    </div>
  );
}

function LearntFacts({ curve: { learnt, gain } }: { curve: Curve }) {
  const facts: [string, string][] = [];
  if (learnt.phase) facts.push(["phase", learnt.phase]);
  if (learnt.batch_size !== null)
    facts.push(["size held for right", `${whole(learnt.batch_size)} events`]);
  if (learnt.batch_size_max !== null)
    facts.push(["known to be taken", `up to ${whole(learnt.batch_size_max)} events`]);
  if (learnt.latency_allowed_ms !== null) {
    facts.push(["a usual batch may take", text(duration(learnt.latency_allowed_ms))]);
  }
  facts.push(["gain", gainText(gain)]);
  return (
    <dl className="pairs">
      {facts.map(([name, value]) => (
        <div className="pair" key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function BinTable({ curve }: { curve: Curve }) {
  if (curve.bins.length === 0) return null;
  return (
    <details className="more">
      <summary>As a table</summary>
      <div className="table-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col" className="num">
                Batch size, events
              </th>
              <th scope="col" className="num">
                Attempts
              </th>
              <th scope="col" className="num">
                p50
              </th>
              <th scope="col" className="num">
                p95
              </th>
              <th scope="col" className="num">
                Rate in one attempt
              </th>
            </tr>
          </thead>
          <tbody>
            {curve.bins.map((bin) => (
              <tr key={bin.items_min}>
                <td className="num">
                  {bin.items_min === bin.items_max
                    ? whole(bin.items_min)
                    : `${whole(bin.items_min)} – ${whole(bin.items_max)}`}
                </td>
                <td className="num">{whole(bin.attempts)}</td>
                <td className="num">{text(duration(bin.p50_ms))}</td>
                <td className="num">{text(duration(bin.p95_ms))}</td>
                <td className="num">{text(rate(bin.items_per_second, "events"))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
