// The server wants a token. It is kept for this tab alone and sent in a header; it never stands in an
// address, where logs and histories would keep it.

import { type FormEvent, useId, useState } from "react";
import { hasToken, setToken } from "../api/client";
import type { Connection } from "../api/stream";
import { useConnection } from "../live/hooks";

export function TokenGate() {
  const [typed, setTyped] = useState("");
  const connection = useConnection();
  const [hadToken] = useState(hasToken);
  /** The answer that was there when a token was given: another one is the answer to that. */
  const [before, setBefore] = useState<Connection | null>(null);
  const wasRefused = before === null ? hadToken : connection !== before;
  const field = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!typed.trim()) return;
    setBefore(connection);
    setToken(typed.trim());
  };
  return (
    <form className="panel gate" onSubmit={submit}>
      <h1>This server asks for a token</h1>
      <p className="note">
        It is the one set as <code>http.token</code> in its configuration.
      </p>
      <label className="field" htmlFor={field}>
        Token
        <input
          id={field}
          className="input"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          aria-invalid={wasRefused}
        />
      </label>
      {wasRefused ? (
        <p className="error-text" role="alert">
          The server refused this token.
        </p>
      ) : null}
      <button type="submit" className="button primary" disabled={!typed.trim()}>
        Go on
      </button>
      <p className="fine">Kept for this tab, and forgotten when it is closed.</p>
    </form>
  );
}
