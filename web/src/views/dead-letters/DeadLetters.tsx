// What was given up, why, and what can be done about it? Groups of which the same was said, the letters
// of what is filtered, and one letter with its event.

import { useCallback, useDeferredValue, useEffect, useState } from "react";
import { getJson } from "../../api/client";
import type { LetterGroup, LetterPage, LetterSummary } from "../../api/types";
import { setParams, useParam } from "../../app/router";
import { bytes, text, whole } from "../../format/number";
import { when } from "../../format/time";
import { useLive, useSnapshot } from "../../live/hooks";
import { Empty, Failed, Loading } from "../../ui/Blank";
import { Meter } from "../../ui/Meter";
import { exportMatching, retryMatching } from "./actions";
import {
  asQuery,
  type Filter,
  inWords,
  isFiltered,
  NO_FILTER,
  setFilter,
  useFilter,
} from "./filter";
import { LetterPanel } from "./LetterPanel";
import { PurgeDialog } from "./PurgeDialog";

export function DeadLetters() {
  const filter = useFilter();
  const [letter] = useParam("letter");
  const { pages, error, reload, older } = useLetters(filter);
  const [note, setNote] = useState<{ text: string; isError: boolean } | null>(null);
  const [busy, setBusy] = useState(false);
  const act = useCallback(
    async (action: () => Promise<string>) => {
      setBusy(true);
      setNote(null);
      try {
        setNote({ text: await action(), isError: false });
      } catch (why) {
        setNote({ text: why instanceof Error ? why.message : String(why), isError: true });
      }
      setBusy(false);
      reload();
    },
    [reload],
  );
  const first = pages[0];
  return (
    <>
      <div className="view-head">
        <h1>Dead letters</h1>
        {first ? <Room page={first} /> : null}
      </div>
      <FilterBar filter={filter} />
      {note ? (
        <p
          className={note.isError ? "notice error-text" : "notice"}
          role={note.isError ? "alert" : "status"}
        >
          {note.text}
        </p>
      ) : null}
      {error && !first ? (
        <div className="panel">
          <Failed error={error} onRetry={reload} />
        </div>
      ) : !first ? (
        <div className="panel">
          <Loading what="the dead letters" />
        </div>
      ) : first.total === 0 ? (
        <div className="panel">
          <Empty title="Nothing was given up">
            An event that a backend refuses for good, or that was tried too often or too long, is
            kept here with the reason, and can be mended and sent again.
          </Empty>
        </div>
      ) : (
        <div className="letters-grid">
          <div className="letters-main">
            <Groups groups={first.groups} filter={filter} />
            <Letters
              pages={pages}
              chosen={letter}
              older={older}
              filter={filter}
              busy={busy}
              act={act}
            />
          </div>
          {letter ? <LetterPanel key={letter} id={Number(letter)} busy={busy} act={act} /> : null}
        </div>
      )}
    </>
  );
}

/** Pages of letters that a filter lets through. */
function useLetters(filter: Filter) {
  const wanted = useDeferredValue(filter);
  const [pages, setPages] = useState<readonly LetterPage[]>([]);
  const [error, setError] = useState<Error | null>(null);
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again
  useEffect(() => {
    const abort = new AbortController();
    getJson<LetterPage>(`/api/dead-letters${asQuery(wanted)}`, abort.signal)
      .then((page) => {
        setPages([page]);
        setError(null);
      })
      .catch((why: Error) => !abort.signal.aborted && setError(why));
    return () => abort.abort();
  }, [wanted, round]);
  const next = pages.at(-1)?.next ?? null;
  const older =
    next === null
      ? null
      : () => {
          getJson<LetterPage>(`/api/dead-letters${asQuery(wanted, { after: next })}`)
            .then((page) => setPages((before) => [...before, page]))
            .catch((why: Error) => setError(why));
        };
  return { pages, error, reload, older };
}

function Room({ page }: { page: LetterPage }) {
  const share = Math.max(page.total / page.items_max, page.bytes / page.bytes_max);
  const words = `${whole(page.total)} of at most ${whole(page.items_max)}, ${text(bytes(page.bytes))} of ${text(bytes(page.bytes_max))}`;
  return (
    <div className="room">
      <span className="note">{words}</span>
      <Meter label="Room for dead letters" share={share} text={words} warn={0.7} bad={0.9} />
    </div>
  );
}

const KINDS = [
  ["refused", "refused"],
  ["too_large", "too large"],
  ["attempts", "tried too often"],
  ["age", "tried too long"],
] as const;

export const kindWords = (kind: string) => KINDS.find(([name]) => name === kind)?.[1] ?? kind;

function FilterBar({ filter }: { filter: Filter }) {
  const snapshot = useSnapshot();
  const sinks = snapshot?.sinks.map(({ sink }) => sink) ?? [];
  const lanes = [...new Set(snapshot?.lanes.map(({ lane }) => lane) ?? [])];
  return (
    <search className="panel filter-bar">
      <Choice
        name="Sink"
        any="every sink"
        value={filter.sink}
        options={sinks.map((sink) => [sink, sink])}
        onChange={(sink) => setFilter({ sink })}
      />
      {lanes.length > 1 ? (
        <Choice
          name="Lane"
          any="every lane"
          value={filter.lane}
          options={lanes.map((lane) => [lane, lane])}
          onChange={(lane) => setFilter({ lane })}
        />
      ) : null}
      <Choice
        name="Given up because"
        any="anything"
        value={filter.kind}
        options={KINDS}
        onChange={(kind) => setFilter({ kind })}
      />
      <label className="field grow">
        Reason contains
        <input
          className="input"
          type="search"
          value={filter.reason}
          onChange={(event) => setFilter({ reason: event.target.value })}
        />
      </label>
      {filter.group ? (
        <div className="field grow">
          Group
          <span className="chip">
            <span>{filter.group}</span>
            <button
              type="button"
              className="button plain"
              aria-label="Leave this group"
              onClick={() => setFilter({ group: "" })}
            >
              ×
            </button>
          </span>
        </div>
      ) : null}
      {isFiltered(filter) ? (
        <button type="button" className="button" onClick={() => setFilter(NO_FILTER)}>
          Clear
        </button>
      ) : null}
    </search>
  );
}

function Choice(props: {
  name: string;
  any: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}) {
  return (
    <label className="field">
      {props.name}
      <select
        className="input"
        value={props.value}
        onChange={(event) => props.onChange(event.target.value)}
      >
        <option value="">{props.any}</option>
        {props.options.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

function Groups({ groups, filter }: { groups: readonly LetterGroup[]; filter: Filter }) {
  const now = useLive().now();
  if (groups.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="groups">
      <div className="panel-head">
        <h2 id="groups">By reason</h2>
        <span className="fine">
          numbers, ids and quoted text left out, so that the same trouble is one line
        </span>
      </div>
      <div className="table-scroll">
        <table className="sentences">
          <thead>
            <tr>
              <th scope="col" className="num">
                Letters
              </th>
              <th scope="col">Reason</th>
              <th scope="col">Sink</th>
              <th scope="col">Given up</th>
              <th scope="col">Last attempt</th>
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <tr key={`${group.sink} ${group.kind} ${group.group}`}>
                <td className="num" data-unit="letters">
                  {whole(group.count)}
                </td>
                <td className="reason">
                  <button
                    type="button"
                    className="link-button"
                    aria-pressed={filter.group === group.group}
                    onClick={() =>
                      setFilter({ sink: group.sink, kind: group.kind, group: group.group })
                    }
                  >
                    {group.group}
                  </button>
                </td>
                <td>{group.sink}</td>
                <td>{kindWords(group.kind)}</td>
                <td className="nowrap">{when(group.last_at / 1e6, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface LettersProps {
  pages: readonly LetterPage[];
  chosen: string;
  filter: Filter;
  busy: boolean;
  older: (() => void) | null;
  act: (action: () => Promise<string>) => Promise<void>;
}

function Letters({ pages, chosen, filter, busy, older, act }: LettersProps) {
  const [purging, setPurging] = useState(false);
  const letters = pages.flatMap((page) => page.letters);
  const what = isFiltered(filter) ? "those that match" : "all";
  return (
    <section className="panel" aria-labelledby="letters">
      <div className="panel-head filters">
        <h2 id="letters">Letters</h2>
        <span className="fine">{inWords(filter)}, the oldest first</span>
        <div className="end buttons">
          <button
            type="button"
            className="button primary"
            disabled={busy}
            onClick={() => void act(() => retryMatching(filter))}
          >
            Send {what} again
          </button>
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => void act(() => exportMatching(filter, false))}
          >
            Export
          </button>
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => void act(() => exportMatching(filter, true))}
          >
            Export events
          </button>
          <button
            type="button"
            className="button danger"
            disabled={busy}
            onClick={() => setPurging(true)}
          >
            Purge …
          </button>
        </div>
      </div>
      {letters.length === 0 ? (
        <Empty title="No letter matches">Change the filter, or clear it.</Empty>
      ) : (
        <LetterTable letters={letters} chosen={chosen} />
      )}
      {older ? (
        <div className="panel-foot">
          <button type="button" className="button" onClick={older}>
            More
          </button>
        </div>
      ) : null}
      {purging ? <PurgeDialog filter={filter} onClose={() => setPurging(false)} act={act} /> : null}
    </section>
  );
}

function LetterTable({ letters, chosen }: { letters: readonly LetterSummary[]; chosen: string }) {
  const now = useLive().now();
  return (
    <div className="table-scroll">
      <table className="sentences">
        <thead>
          <tr>
            <th scope="col">Letter</th>
            <th scope="col">Last attempt</th>
            <th scope="col">Lane</th>
            <th scope="col">Given up</th>
            <th scope="col" className="num">
              Attempts
            </th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          {letters.map((letter) => (
            <tr
              key={letter.id}
              className={String(letter.id) === chosen ? "chosen" : ""}
              aria-current={String(letter.id) === chosen ? "true" : undefined}
            >
              <td>
                <button
                  type="button"
                  className="link-button"
                  onClick={() => setParams({ letter: String(letter.id) })}
                >
                  {letter.id}
                </button>
              </td>
              <td className="nowrap">{when(letter.last_at_unix_ms, now)}</td>
              <td>
                {letter.sink}/{letter.lane}
              </td>
              <td>{kindWords(letter.kind)}</td>
              <td className="num" data-unit="attempts">
                {whole(letter.attempts)}
              </td>
              <td className="reason">{letter.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
