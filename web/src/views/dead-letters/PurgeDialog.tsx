// Removing is for good, so it takes two answers: how many the server says match, typed by whoever asks.

import { useEffect, useState } from "react";
import { whole } from "../../format/number";
import { Dialog } from "../../ui/Dialog";
import { countForPurge, purge } from "./actions";
import { type Filter, inWords } from "./filter";

export function PurgeDialog(props: {
  filter: Filter;
  onClose: () => void;
  act: (action: () => Promise<string>) => Promise<void>;
}) {
  const { filter, onClose, act } = props;
  const [number, setNumber] = useState<number | null>(null);
  const [error, setError] = useState("");
  const [typed, setTyped] = useState("");
  useEffect(() => {
    countForPurge(filter).then(setNumber, (why: Error) => setError(why.message));
  }, [filter]);
  const isSure =
    number !== null && number > 0 && typed.replaceAll(",", "").trim() === String(number);
  const confirm = () => {
    onClose();
    void act(() => purge(filter));
  };
  return (
    <Dialog title="Remove dead letters for good?" onClose={onClose}>
      {error ? (
        <p className="error-text" role="alert">
          {error}
        </p>
      ) : number === null ? (
        <p className="note">Counting …</p>
      ) : number === 0 ? (
        <p>None matches: {inWords(filter)}.</p>
      ) : (
        <>
          <p>
            This removes <strong>{whole(number)}</strong> of them ({inWords(filter)}) with their
            events. They are nowhere else. Export them first if they may be wanted.
          </p>
          <label className="field dialog-field">
            Type {whole(number)} to confirm
            <input
              className="input"
              inputMode="numeric"
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
        </>
      )}
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          Keep them
        </button>
        <button type="button" className="button danger" disabled={!isSure} onClick={confirm}>
          Remove for good
        </button>
      </div>
    </Dialog>
  );
}
