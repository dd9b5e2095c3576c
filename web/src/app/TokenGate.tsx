// The server wants a token. It is kept for this tab alone and sent in a header; it never stands in an
// address, where logs and histories would keep it.

import { type FormEvent, useId, useState } from "react";
import { hasToken, setToken } from "../api/client";

export function TokenGate() {
  const [typed, setTyped] = useState("");
  const [wasTried] = useState(hasToken);
  const field = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim()) setToken(typed.trim());
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
          aria-invalid={wasTried}
        />
      </label>
      {wasTried ? (
        <p className="error-text" role="alert">
          The server refused the token that this tab had.
        </p>
      ) : null}
      <button type="submit" className="button primary" disabled={!typed.trim()}>
        Go on
      </button>
      <p className="fine">Kept for this tab, and forgotten when it is closed.</p>
    </form>
  );
}
