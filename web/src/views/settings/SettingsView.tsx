// What is in force, and who chose it? Every setting with its value, its origin and what it means.

import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { getJson } from "../../api/client";
import type { Setting, Settings } from "../../api/types";
import { useParam } from "../../app/router";
import { whole } from "../../format/number";
import { dateTime } from "../../format/time";
import { useSnapshot } from "../../live/hooks";
import { Empty, Failed, Loading } from "../../ui/Blank";
import { Said } from "../../ui/Said";
import { Segments } from "../../ui/Segments";
import { Glyph, type Shape, type Tone } from "../../ui/Status";

const ORIGINS: Record<Setting["origin"], readonly [Shape, Tone, string]> = {
  default: ["ring", "idle", "default"],
  file: ["square", "accent", "file"],
  env: ["lozenge", "accent", "environment"],
  flag: ["triangle", "accent", "flag"],
};

export function SettingsView() {
  const [settings, setSettings] = useState<Settings | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    getJson<Settings>("/api/settings", abort.signal).then(setSettings, (why: Error) => {
      if (!abort.signal.aborted) setError(why);
    });
    return () => abort.abort();
  }, []);
  return (
    <>
      <div className="view-head">
        <h1>Settings</h1>
        <p className="note">
          {settings ? (
            settings.file ? (
              <>
                In force now, from <code>{settings.file}</code>.
              </>
            ) : (
              "In force now. There is no configuration file: everything is a default, a flag or of the environment."
            )
          ) : (
            ""
          )}
        </p>
      </div>
      <ServerFacts />
      {error ? (
        <div className="panel">
          <Failed error={error} />
        </div>
      ) : settings ? (
        <Table settings={settings.settings} />
      ) : (
        <div className="panel">
          <Loading what="the settings" />
        </div>
      )}
    </>
  );
}

function ServerFacts() {
  const server = useSnapshot()?.server;
  if (!server) return null;
  return (
    <dl className="panel facts">
      <div>
        <dt>Version</dt>
        <dd>{server.version}</dd>
      </div>
      <div>
        <dt>Running since</dt>
        <dd>{dateTime(server.started_unix_ms)}</dd>
      </div>
      <div>
        <dt>Acknowledged means</dt>
        <dd>{server.durability}</dd>
      </div>
      <div>
        <dt>Journal</dt>
        <dd>
          <span className="mono">{server.journal}</span>, opening {whole(server.journal_epoch)}
        </dd>
      </div>
      <div>
        <dt>Token</dt>
        <dd>{server.needs_token ? "required" : "none"}</dd>
      </div>
      <div>
        <dt>Masked in payloads</dt>
        <dd>{server.masked_fields.length > 0 ? server.masked_fields.join(", ") : "nothing"}</dd>
      </div>
    </dl>
  );
}

function Table({ settings }: { settings: readonly Setting[] }) {
  const [search, setSearch] = useParam("search");
  const [shown, setShown] = useParam("shown", "all");
  const wanted = useDeferredValue(search).toLowerCase();
  const matching = useMemo(
    () =>
      settings.filter(
        ({ path, description, origin }) =>
          (shown !== "chosen" || origin !== "default") &&
          `${path} ${description ?? ""}`.toLowerCase().includes(wanted),
      ),
    [settings, shown, wanted],
  );
  return (
    <section className="panel" aria-labelledby="all-settings">
      <div className="panel-head filters">
        <h2 id="all-settings">All settings</h2>
        <span className="fine">
          {whole(matching.length)} of {whole(settings.length)}
        </span>
        <div className="end">
          <Segments
            label="Which settings"
            options={[
              ["all", "All"],
              ["chosen", "Chosen by somebody"],
            ]}
            value={shown === "chosen" ? "chosen" : "all"}
            onChange={setShown}
          />
          <input
            className="input"
            type="search"
            placeholder="Search names and meanings"
            aria-label="Search names and meanings"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
      </div>
      {matching.length === 0 ? (
        <Empty title="No setting matches">Change the search, or show all.</Empty>
      ) : (
        <div className="table-scroll">
          <table className="settings sentences">
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">Value</th>
                <th scope="col">Origin</th>
                <th scope="col">What it means</th>
              </tr>
            </thead>
            <tbody>
              {matching.map((setting) => (
                <Row key={setting.path} setting={setting} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row({ setting: { path, value, origin, line, description } }: { setting: Setting }) {
  const [shape, tone, word] = ORIGINS[origin];
  return (
    <tr>
      <th scope="row" className="mono">
        {path}
      </th>
      <td className="mono setting-value">{written(value)}</td>
      <td className="nowrap">
        <span className="status">
          <Glyph shape={shape} tone={tone} />
          {word}
          {line === null ? "" : `, line ${line}`}
        </span>
      </td>
      <td className="reason">{description === null ? null : <Said words={description} />}</td>
    </tr>
  );
}

/** A value as one would write it. */
function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
