// One letter: what was said of it, its event to the letter, and what can be done about it.

import { useEffect, useState } from "react";
import { request } from "../../api/client";
import type { Letter } from "../../api/types";
import { setParams } from "../../app/router";
import { laidOut, member } from "../../format/json";
import { whole } from "../../format/number";
import { dateTime } from "../../format/time";
import { useSnapshot } from "../../live/hooks";
import { Failed, Loading } from "../../ui/Blank";
import { Dialog } from "../../ui/Dialog";
import { mend, purgeOne, retryOne } from "./actions";
import { kindWords } from "./DeadLetters";

interface Read {
  readonly letter: Letter;
  /** The event's text as the server has it. */
  readonly event: string;
}

export function LetterPanel(props: {
  id: number;
  busy: boolean;
  act: (action: () => Promise<string>) => Promise<void>;
}) {
  const { id, busy, act } = props;
  const { read, error, reload } = useLetter(id);
  const [editing, setEditing] = useState(false);
  const [purging, setPurging] = useState(false);
  const close = () => setParams({ letter: null });
  const sendAgain = async () => {
    const { note, isGone } = await retryOne(id);
    if (isGone) close();
    else reload();
    return note;
  };
  return (
    <section className="panel letter" aria-labelledby="letter">
      <div className="panel-head">
        <h2 id="letter">Letter {id}</h2>
        <span className="end">
          <button type="button" className="button plain" onClick={close}>
            Close
          </button>
        </span>
      </div>
      <div className="panel-body">
        {error ? (
          <Failed error={error} />
        ) : !read ? (
          <Loading what="the letter" />
        ) : (
          <>
            <LetterFacts letter={read.letter} />
            {editing ? (
              <Editor
                event={read.event}
                onCancel={() => setEditing(false)}
                onSave={(event) => {
                  setEditing(false);
                  void act(() => mend(id, event)).then(reload);
                }}
              />
            ) : (
              <Payload event={read.event} />
            )}
            {editing ? null : (
              <div className="buttons">
                <button
                  type="button"
                  className="button primary"
                  disabled={busy}
                  onClick={() => void act(sendAgain)}
                >
                  Send it again
                </button>
                <MendButton event={read.event} onClick={() => setEditing(true)} />
                <button
                  type="button"
                  className="button danger"
                  disabled={busy}
                  onClick={() => setPurging(true)}
                >
                  Remove …
                </button>
              </div>
            )}
          </>
        )}
      </div>
      {purging ? (
        <Dialog title={`Remove letter ${id} for good?`} onClose={() => setPurging(false)}>
          <p>Its event is nowhere else.</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setPurging(false)}>
              Keep it
            </button>
            <button
              type="button"
              className="button danger"
              onClick={() => {
                setPurging(false);
                void act(() => purgeOne(id)).then(close);
              }}
            >
              Remove for good
            </button>
          </div>
        </Dialog>
      ) : null}
    </section>
  );
}

function useLetter(id: number) {
  const [read, setRead] = useState<Read | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again
  useEffect(() => {
    const abort = new AbortController();
    request(`/api/dead-letters/${id}`, { signal: abort.signal })
      .then((response) => response.text())
      .then((text) => {
        setRead({ letter: JSON.parse(text) as Letter, event: member(text, "event") ?? "null" });
        setError(null);
      })
      .catch((why: Error) => !abort.signal.aborted && setError(why));
    return () => abort.abort();
  }, [id, round]);
  return { read, error, reload: () => setRound((before) => before + 1) };
}

function LetterFacts({ letter }: { letter: Letter }) {
  return (
    <>
      <p className="letter-reason">{letter.reason}</p>
      <dl className="pairs">
        <dt>Given up</dt>
        <dd>
          {kindWords(letter.kind)}, after {whole(letter.attempts)}{" "}
          {letter.attempts === 1 ? "attempt" : "attempts"}
        </dd>
        <dt>First attempt</dt>
        <dd>{dateTime(letter.first_at_unix_ms)}</dd>
        <dt>Last attempt</dt>
        <dd>
          {dateTime(letter.last_at_unix_ms)}: {letter.outcome.replaceAll("_", " ")}
        </dd>
        <dt>Lane</dt>
        <dd>
          {letter.sink}/{letter.lane}
          {letter.class ? `, class ${letter.class}` : ""}
        </dd>
        <dt>Place</dt>
        <dd className="mono">
          {letter.journal}:{letter.position}
        </dd>
        <dt>Mended</dt>
        <dd>{letter.mended === 0 ? "never" : `${whole(letter.mended)} times`}</dd>
      </dl>
    </>
  );
}

/** The event as text: whatever stands in it is shown and never interpreted. */
function Payload({ event }: { event: string }) {
  const masked = useSnapshot()?.server.masked_fields ?? [];
  return (
    <div className="payload">
      <h3>Event</h3>
      <pre>{laidOut(event)}</pre>
      {masked.length > 0 ? <p className="fine">Masked by name: {masked.join(", ")}</p> : null}
    </div>
  );
}

const MASK = '"***"';

function MendButton({ event, onClick }: { event: string; onClick: () => void }) {
  const masked = useSnapshot()?.server.masked_fields ?? [];
  // To save what is shown would write the masks over what they hide.
  const isMasked = masked.length > 0 && event.includes(MASK);
  return (
    <button
      type="button"
      className="button"
      disabled={isMasked}
      title={isMasked ? "It has masked values: mend it with tidegate dlq mend" : undefined}
      onClick={onClick}
    >
      Mend
    </button>
  );
}

function Editor(props: { event: string; onSave: (event: string) => void; onCancel: () => void }) {
  const [typed, setTyped] = useState(() => laidOut(props.event));
  const error = problem(typed);
  return (
    <form
      className="payload"
      onSubmit={(event) => {
        event.preventDefault();
        if (!error) props.onSave(typed);
      }}
    >
      <label className="field">
        The event as it should be
        <textarea
          className="input mono"
          rows={16}
          spellCheck={false}
          value={typed}
          aria-invalid={error !== null}
          onChange={(event) => setTyped(event.target.value)}
        />
      </label>
      {error ? <p className="error-text">{error}</p> : null}
      <div className="buttons">
        <button type="submit" className="button primary" disabled={error !== null}>
          Replace the event
        </button>
        <button type="button" className="button" onClick={props.onCancel}>
          Leave it
        </button>
      </div>
    </form>
  );
}

function problem(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? null : "An event is one JSON object.";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
