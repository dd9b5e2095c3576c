// Who would find the best plan? Pick a scenario and controllers, let the server race them in virtual
// time beside an oracle that knows the backend, and go through what happened with a slider.

import { useCallback, useEffect, useState } from "react";
import { ApiError, getJson, sendJson } from "../../api/client";
import type {
  RaceRequest,
  SimulatorCatalogue,
  SimulatorRun,
  SimulatorScenario,
} from "../../api/types";
import { setParams, useParam } from "../../app/router";
import { duration, percent, text, whole } from "../../format/number";
import { Empty, Failed, Loading } from "../../ui/Blank";
import { Meter } from "../../ui/Meter";
import { RaceView } from "./RaceView";

const POLL_MS = 400;

export function Simulator() {
  const { catalogue, error } = useCatalogue();
  return (
    <>
      <div className="view-head">
        <h1>Simulator</h1>
        <p className="note">
          The library's own engine and controllers against simulated backends: what would another
          controller have done?
        </p>
      </div>
      {error instanceof ApiError && error.code === "no_simulator" ? (
        <div className="panel">
          <Empty title="This server has no simulator">
            It was built without it. <code>tidegate simulate</code> does the same in a terminal.
          </Empty>
        </div>
      ) : error ? (
        <div className="panel">
          <Failed error={error} />
        </div>
      ) : catalogue ? (
        <Races catalogue={catalogue} />
      ) : (
        <div className="panel">
          <Loading what="the scenarios" />
        </div>
      )}
    </>
  );
}

function useCatalogue() {
  const [catalogue, setCatalogue] = useState<SimulatorCatalogue | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    getJson<SimulatorCatalogue>("/api/simulator", abort.signal).then(setCatalogue, (why: Error) => {
      if (!abort.signal.aborted) setError(why);
    });
    return () => abort.abort();
  }, []);
  return { catalogue, error };
}

function Races({ catalogue }: { catalogue: SimulatorCatalogue }) {
  const [name, setName] = useParam(
    "scenario",
    catalogue.last?.request.scenario ?? catalogue.scenarios[0]?.name ?? "",
  );
  const scenario = catalogue.scenarios.find((one) => one.name === name) ?? catalogue.scenarios[0];
  const { run, error, start, cancel } = useRun(catalogue.last);
  if (!scenario) return <Empty title="No scenario">The server ships none.</Empty>;
  const raced = catalogue.scenarios.find((one) => one.name === run?.request.scenario);
  return (
    <div className="simulator">
      <Entry
        catalogue={catalogue}
        scenario={scenario}
        onScenario={setName}
        isRunning={run?.state === "running"}
        onStart={start}
      />
      {error ? (
        <p className="notice error-text" role="alert">
          {error.message}
        </p>
      ) : null}
      {run ? <RunState run={run} onCancel={cancel} /> : null}
      {run?.result && raced ? <RaceView key={run.id} result={run.result} scenario={raced} /> : null}
      {run ? null : (
        <div className="panel">
          <Empty title="No race yet">Choose above and start one: it takes some seconds.</Empty>
        </div>
      )}
    </div>
  );
}

/** The race that the address names, or the last one, followed until it is over. */
function useRun(last: SimulatorRun | null) {
  const [id, setId] = useParam("run", last ? String(last.id) : "");
  const [run, setRun] = useState<SimulatorRun | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    if (id === "") return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      getJson<SimulatorRun>(`/api/simulator/runs/${encodeURIComponent(id)}`, abort.signal).then(
        (next) => {
          setRun(next);
          if (next.state === "running") timer = setTimeout(look, POLL_MS);
        },
        (why: Error) => !abort.signal.aborted && setError(why),
      );
    };
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id]);
  const start = useCallback(
    (request: RaceRequest) => {
      setError(null);
      setRun(null);
      setParams({ t: null, runner: null });
      sendJson<SimulatorRun>("POST", "/api/simulator/runs", request).then(
        (started) => setId(String(started.id)),
        (why: Error) => setError(why),
      );
    },
    [setId],
  );
  const cancel = () => {
    sendJson("DELETE", `/api/simulator/runs/${encodeURIComponent(id)}`).catch((why: Error) =>
      setError(why),
    );
  };
  return { run, error, start, cancel };
}

function Entry(props: {
  catalogue: SimulatorCatalogue;
  scenario: SimulatorScenario;
  onScenario: (name: string) => void;
  isRunning: boolean;
  onStart: (request: RaceRequest) => void;
}) {
  const { catalogue, scenario, isRunning } = props;
  const { controllers_max, seeds_max } = catalogue.limits;
  const [chosen, setChosen] = useState<readonly string[]>(() => firstChoice(catalogue));
  const [seeds, setSeeds] = useState(Math.min(3, seeds_max));
  const isFull = chosen.length >= controllers_max;
  const toggle = (name: string) =>
    setChosen((before) =>
      before.includes(name) ? before.filter((one) => one !== name) : [...before, name],
    );
  return (
    <form
      className="panel entry"
      onSubmit={(event) => {
        event.preventDefault();
        props.onStart({ scenario: scenario.name, controllers: chosen, seeds });
      }}
    >
      <div className="entry-scenario">
        <label className="field">
          Scenario
          <select
            className="input"
            value={scenario.name}
            onChange={(event) => props.onScenario(event.target.value)}
          >
            {suites(catalogue.scenarios).map(([suite, scenarios]) => (
              <optgroup key={suite} label={suite}>
                {scenarios.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
        <label className="field">
          Seeds
          <input
            className="input"
            type="number"
            min={1}
            max={seeds_max}
            value={seeds}
            onChange={(event) =>
              setSeeds(
                Math.min(Math.max(Math.trunc(event.target.valueAsNumber) || 1, 1), seeds_max),
              )
            }
          />
        </label>
        <button
          type="submit"
          className="button primary"
          disabled={isRunning || chosen.length === 0}
        >
          Race {chosen.length === 1 ? "it" : "them"}
        </button>
      </div>
      <p className="note">{scenario.about}</p>
      <p className="fine">
        {whole(scenario.duration_s)} s of virtual time, in time is up to{" "}
        {text(duration(scenario.target_ms))},{" "}
        {scenario.saturated ? "always more events than can be taken" : "not saturated"}
        {scenario.changes_s.length > 0
          ? `, changes at ${scenario.changes_s.map((at) => `${at} s`).join(", ")}`
          : ""}
      </p>
      <fieldset className="choices">
        <legend>
          Controllers <span className="fine">at most {controllers_max}</span>
        </legend>
        {catalogue.controllers.map((name) => (
          <label key={name} className="choice">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              disabled={isFull && !chosen.includes(name)}
              onChange={() => toggle(name)}
            />
            {name}
            {name === catalogue.default_controller ? <span className="fine"> default</span> : null}
          </label>
        ))}
      </fieldset>
    </form>
  );
}

function firstChoice({
  controllers,
  default_controller,
  last,
  limits,
}: SimulatorCatalogue): readonly string[] {
  const usual = last?.request.controllers ?? [default_controller, "aimd", "joint", "fixed"];
  const known = [...new Set(usual)].filter((name) => controllers.includes(name));
  return known.slice(0, limits.controllers_max);
}

function suites(scenarios: readonly SimulatorScenario[]): [string, SimulatorScenario[]][] {
  const found = new Map<string, SimulatorScenario[]>();
  for (const scenario of scenarios) {
    const suite = found.get(scenario.suite);
    if (suite) suite.push(scenario);
    else found.set(scenario.suite, [scenario]);
  }
  return [...found];
}

function RunState({ run, onCancel }: { run: SimulatorRun; onCancel: () => void }) {
  if (run.state === "done") return null;
  if (run.state !== "running") {
    const why = run.state === "cancelled" ? "It was cancelled." : (run.error ?? "It failed.");
    return <p className={run.state === "failed" ? "notice error-text" : "notice"}>{why}</p>;
  }
  const done = text(percent(run.progress));
  return (
    <div className="panel running" role="status">
      <span>
        {run.stage.charAt(0).toUpperCase() + run.stage.slice(1)}: {run.request.scenario}, {done}
      </span>
      <Meter label="Progress of the race" share={run.progress} text={done} />
      <button type="button" className="button" onClick={onCancel}>
        Cancel
      </button>
    </div>
  );
}
