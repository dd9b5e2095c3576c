// What came of a race: who came how near to the oracle, how it went over time, and, at the moment that
// the slider points to, which plan each had and why.

import { useEffect, useMemo, useRef, useState } from "react";
import type { RaceResult, RaceRunner, SimulatorScenario } from "../../api/types";
import { useParam } from "../../app/router";
import type { Mark } from "../../chart/marks";
import { StripChart } from "../../chart/StripChart";
import type { Columns, Line, StripView } from "../../chart/strip";
import { count, digits, duration, percent, planText, rate, text, whole } from "../../format/number";
import { changes, direction } from "../../live/story";
import { WRITE } from "../common/strips";
import { PlanMark } from "../overview/Story";
import { decisionAt, lengthOf, momentOf, ORACLE, together } from "./race";

export function RaceView({
  result,
  scenario,
}: {
  result: RaceResult;
  scenario: SimulatorScenario;
}) {
  const length = lengthOf(result);
  const [t, setT] = useParam("t", "0");
  const at = Math.min(Math.max(Number(t) || 0, 0), length);
  const [name, setName] = useParam("runner", result.runners[0]?.controller ?? "");
  const runner = result.runners.find(({ controller }) => controller === name) ?? result.runners[0];
  if (!runner) return null;
  return (
    <>
      <League result={result} chosen={runner.controller} onChoose={setName} />
      <section className="panel" aria-labelledby="timeline">
        <h2 className="visually-hidden" id="timeline">
          Timeline
        </h2>
        <Slider
          at={at}
          length={length}
          changes={scenario.changes_s}
          onChange={(next) => setT(next.toFixed(1))}
        />
        <RaceStrips
          result={result}
          runner={runner}
          scenario={scenario}
          at={at}
          length={length}
          onMove={setT}
        />
        <MomentTable result={result} at={at} chosen={runner.controller} />
      </section>
      <RaceDecisions runner={runner} at={at} onMove={(next) => setT(next.toFixed(1))} />
    </>
  );
}

function League(props: { result: RaceResult; chosen: string; onChoose: (name: string) => void }) {
  const { result, chosen, onChoose } = props;
  return (
    <section className="panel" aria-labelledby="league">
      <div className="panel-head">
        <h2 id="league">League</h2>
        <span className="fine">
          timely goodput in the second half over the oracle's, the best first; choose one to follow
          it
        </span>
      </div>
      <div className="table-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Controller</th>
              <th scope="col" className="num">
                Goodput
              </th>
              <th scope="col" className="num">
                Of the oracle
              </th>
              <th scope="col">
                <span className="visually-hidden">As a bar</span>
              </th>
              <th scope="col" className="num">
                Of the best fixed plan
              </th>
              <th scope="col" className="num">
                Settles in
              </th>
              <th scope="col" className="num">
                Late or lost
              </th>
              <th scope="col" className="num">
                p99
              </th>
            </tr>
          </thead>
          <tbody>
            {result.runners.map((runner) => (
              <tr key={runner.controller} className={runner.controller === chosen ? "chosen" : ""}>
                <td>
                  <button
                    type="button"
                    className="link-button"
                    aria-pressed={runner.controller === chosen}
                    onClick={() => onChoose(runner.controller)}
                  >
                    {runner.controller}
                  </button>
                </td>
                <td className="num">{text(rate(runner.goodput))}</td>
                <td className="num">{text(percent(runner.of_oracle))}</td>
                <td className="counts-bar wide" aria-hidden="true">
                  <i style={{ width: `${Math.min(runner.of_oracle ?? 0, 1) * 100}%` }} />
                </td>
                <td className="num">{text(percent(runner.of_best_static))}</td>
                <td className="num">
                  {runner.settle_s === null ? "never" : `${digits(runner.settle_s)} s`}
                </td>
                <td className="num">{text(percent(runner.miss_ratio))}</td>
                <td className="num">{text(duration(runner.p99_ms))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {result.remarks.length > 0 ? (
        <ul className="panel-foot note">
          {result.remarks.map((remark) => (
            <li key={remark}>{remark}</li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

/** Virtual seconds that a second of replay shows. */
const REPLAY = 8;

function Slider(props: {
  at: number;
  length: number;
  changes: readonly number[];
  onChange: (at: number) => void;
}) {
  const { at, length, onChange } = props;
  const [isPlaying, setPlaying] = useState(false);
  const latest = useRef({ at, onChange });
  latest.current = { at, onChange };
  useEffect(() => {
    if (!isPlaying) return;
    const timer = setInterval(() => {
      const next = latest.current.at + REPLAY / 10;
      latest.current.onChange(Math.min(next, length));
      if (next >= length) setPlaying(false);
    }, 100);
    return () => clearInterval(timer);
  }, [isPlaying, length]);
  const play = () => {
    if (!isPlaying && at >= length) onChange(0);
    setPlaying(!isPlaying);
  };
  return (
    <div className="slider">
      <button type="button" className="button" onClick={play}>
        {isPlaying ? "Pause" : "Replay"}
      </button>
      <label className="slider-label">
        <span className="visually-hidden">Moment of the race</span>
        <input
          type="range"
          min={0}
          max={length}
          step={0.1}
          value={at}
          list="changes"
          aria-valuetext={`${at.toFixed(1)} s of ${length.toFixed(0)} s`}
          onChange={(event) => onChange(event.target.valueAsNumber)}
        />
        <datalist id="changes">
          {props.changes.map((change) => (
            <option key={change} value={change} />
          ))}
        </datalist>
      </label>
      <output className="nowrap">
        {at.toFixed(1)} s <span className="fine">of {length.toFixed(0)} s</span>
      </output>
    </div>
  );
}

const STRIPS = [
  {
    column: "goodput",
    title: "Timely goodput",
    format: (value: Value) => text(rate(value)),
    log: false,
  },
  { column: "batch_size", title: "Batch size", format: (value: Value) => whole(value), log: true },
  {
    column: "latency_ms",
    title: "Mean latency",
    format: (value: Value) => text(duration(value)),
    log: false,
  },
  {
    column: "concurrency",
    title: "Concurrency",
    format: (value: Value) => (value ? digits(value) : "–"),
    log: false,
  },
] as const;

type Value = number | null | undefined;

function RaceStrips(props: {
  result: RaceResult;
  runner: RaceRunner;
  scenario: SimulatorScenario;
  at: number;
  length: number;
  onMove: (t: string) => void;
}) {
  const { result, runner, scenario, at, length, onMove } = props;
  const fresh = useFresh(at);
  return (
    <div className="strips pairs-of">
      {STRIPS.map(({ column, title, format, log }) => (
        <RaceStrip
          key={`${column}/${runner.controller}`}
          result={result}
          runner={runner}
          column={column}
          title={title}
          format={format}
          log={log}
          target={column === "latency_ms" ? scenario.target_ms : null}
          at={at}
          length={length}
          onFresh={fresh}
          onMove={onMove}
        />
      ))}
    </div>
  );
}

/** Tells strips to draw again when the slider has moved. */
function useFresh(at: number): (listener: () => void) => () => void {
  const [listeners] = useState(() => new Set<() => void>());
  // biome-ignore lint/correctness/useExhaustiveDependencies: the moment is what they draw
  useEffect(() => {
    for (const listener of listeners) listener();
  }, [at, listeners]);
  const [subscribe] = useState(() => (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  });
  return subscribe;
}

function RaceStrip(props: {
  result: RaceResult;
  runner: RaceRunner;
  column: (typeof STRIPS)[number]["column"];
  title: string;
  format: (value: Value) => string;
  log: boolean;
  target: number | null;
  at: number;
  length: number;
  onFresh: (listener: () => void) => () => void;
  onMove: (t: string) => void;
}) {
  const { result, runner, column, title, format, log, target, length, onFresh } = props;
  const moment = useRef(props.at);
  moment.current = props.at;
  const { lines, columns, marks } = useMemo(() => {
    const { times, columns: values } = together(result, column);
    const names = [ORACLE, ...result.runners.map(({ controller }) => controller)];
    // The one that is followed is drawn last, over the others.
    const order = names
      .map((_, place) => place)
      .sort((a, b) => rank(names[a], runner) - rank(names[b], runner));
    return {
      lines: order.map(
        (place): Line => lineOf(names[place] ?? "", runner.controller, format, column),
      ),
      columns: [times, ...order.map((place) => values[place] ?? [])] as Columns,
      marks: column === "batch_size" ? marksOf(runner) : [],
    };
  }, [result, runner, column, format]);
  const read = (): StripView => ({
    columns,
    marks,
    from: 0,
    to: length,
    at: moment.current,
    ...(target === null ? {} : { target }),
  });
  return (
    <StripChart
      title={title}
      lines={lines}
      read={read}
      onFresh={onFresh}
      axis={(value) => (column === "latency_ms" ? text(duration(value)) : text(count(value)))}
      timeAxis={(seconds) => `${whole(seconds)} s`}
      height={150}
      sync="race"
      ofMoment
      log={log}
      onOpen={(seq) => props.onMove((runner.decisions[seq]?.from_s ?? 0).toFixed(1))}
    />
  );
}

const rank = (name: string | undefined, runner: RaceRunner) =>
  name === runner.controller ? 2 : name === ORACLE ? 1 : 0;

function lineOf(
  name: string,
  chosen: string,
  format: (value: Value) => string,
  column: string,
): Line {
  const steps = column === "batch_size" || column === "concurrency";
  if (name === chosen) return { label: name, ink: "series-1", format, width: 2, steps };
  if (name === ORACLE) return { label: name, ink: "text", format, dash: [5, 3], width: 1.4, steps };
  return { label: name, ink: "series-3", format, width: 1.1, steps };
}

function marksOf({ decisions }: RaceRunner): Mark[] {
  return decisions.map((decision, place) => ({
    at: decision.from_s,
    before: decision.from.batch_size,
    value: decision.to.batch_size,
    direction: direction(decision),
    text: `${changes(decision, WRITE)}: ${decision.reason}`,
    seq: place,
  }));
}

function MomentTable({ result, at, chosen }: { result: RaceResult; at: number; chosen: string }) {
  return (
    <div className="table-scroll">
      <table className="sentences moment">
        <caption>At {at.toFixed(1)} s</caption>
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col" className="num">
              Goodput
            </th>
            <th scope="col" className="num">
              Latency
            </th>
            <th scope="col" className="num">
              Plan
            </th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          <MomentRow
            name={ORACLE}
            timeline={result.oracle}
            at={at}
            why="knows the backend"
            isChosen={false}
          />
          {result.runners.map(({ controller, timeline, decisions }) => (
            <MomentRow
              key={controller}
              name={controller}
              timeline={timeline}
              at={at}
              why={decisionAt(decisions, at)?.reason ?? "the plan it began with"}
              isChosen={controller === chosen}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function MomentRow(props: {
  name: string;
  timeline: RaceRunner["timeline"];
  at: number;
  why: string;
  isChosen: boolean;
}) {
  const moment = momentOf(props.timeline, props.at);
  const plan =
    moment.batchSize === null
      ? "–"
      : planText({ batch_size: moment.batchSize, concurrency: moment.concurrency ?? 1 });
  return (
    <tr className={props.isChosen ? "chosen" : ""}>
      <th scope="row">{props.name}</th>
      <td className="num">{text(rate(moment.goodput))}</td>
      <td className="num">{text(duration(moment.latencyMs))}</td>
      <td className="num">{plan}</td>
      <td className="reason">{props.why}</td>
    </tr>
  );
}

function RaceDecisions(props: { runner: RaceRunner; at: number; onMove: (at: number) => void }) {
  const { runner, at, onMove } = props;
  const inForce = decisionAt(runner.decisions, at);
  return (
    <section className="panel" aria-labelledby="race-decisions">
      <div className="panel-head">
        <h2 id="race-decisions">Decisions of {runner.controller}</h2>
        <span className="fine">alike ones in a row told as one; choose a time to go there</span>
      </div>
      <div className="table-scroll bounded-table">
        <table className="sentences">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">What changed</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {runner.decisions.map((decision) => (
              <tr
                key={`${decision.from_s}/${decision.until_s}/${decision.reason}`}
                className={decision === inForce ? "chosen" : ""}
              >
                <td className="nowrap">
                  <button
                    type="button"
                    className="link-button"
                    onClick={() => onMove(decision.from_s)}
                  >
                    {digits(decision.from_s)} s{until(decision)}
                  </button>
                </td>
                <td>
                  <span className="with-mark">
                    <PlanMark direction={direction(decision)} />
                    {changes(decision, WRITE)}
                    {decision.count > 1 ? (
                      <span className="fine"> in {decision.count} steps</span>
                    ) : null}
                  </span>
                </td>
                <td className="reason">{decision.reason}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** ` – 11.9 s`, if that reads otherwise than where it began. */
function until({ from_s, until_s }: RaceRunner["decisions"][number]): string {
  return digits(from_s) === digits(until_s) ? "" : ` – ${digits(until_s)} s`;
}
