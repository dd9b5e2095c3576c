// Why is the plan what it is? Every change with its reason, searched by the server over all that it
// keeps, the newest first. The address names the search and the decision that is looked at.

import { useDeferredValue, useEffect, useRef, useState } from "react";
import { getJson, query } from "../../api/client";
import type { Decision, DecisionPage } from "../../api/types";
import { useParam } from "../../app/router";
import { planText, whole } from "../../format/number";
import { when } from "../../format/time";
import { useLive } from "../../live/hooks";
import { direction } from "../../live/story";
import { Empty, Failed, Loading } from "../../ui/Blank";
import { Link } from "../../ui/Link";
import { changed } from "../common/strips";
import { PlanMark } from "../overview/Story";

const PAGE = 100;
/** The list follows what is decided, at most so often. */
const RENEW_MS = 1000;

export function Decisions({ lane }: { lane: string }) {
  const [search, setSearch] = useParam("search");
  const [by, setBy] = useParam("by");
  const [chosen] = useParam("decision");
  const { pages, error, more } = usePages(lane, search, by, chosen);
  const [names, setNames] = useState<readonly string[]>([]);
  const shown = pages.flatMap((page) => page.decisions);
  const first = pages[0];
  useEffect(() => {
    const found = pages.flatMap((page) => page.decisions.map((decision) => decision.by));
    setNames((before) => {
      const all = [...new Set([...before, ...found])].sort();
      return all.length === before.length ? before : all;
    });
  }, [pages]);
  return (
    <section className="panel" aria-labelledby="decisions">
      <div className="panel-head filters">
        <h2 id="decisions">Decisions</h2>
        <span className="fine">{first ? counted(first, search !== "" || by !== "") : ""}</span>
        <div className="end">
          <input
            className="input"
            type="search"
            placeholder="Search the reasons"
            aria-label="Search the reasons"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <select
            className="input"
            aria-label="Decided by"
            value={by}
            onChange={(event) => setBy(event.target.value)}
          >
            <option value="">by anybody</option>
            {[...new Set([...names, ...(by ? [by] : [])])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </div>
      </div>
      {error && !first ? (
        <Failed error={error} />
      ) : !first ? (
        <Loading what="the decisions" />
      ) : shown.length === 0 ? (
        <Nothing isFiltered={search !== "" || by !== ""} />
      ) : (
        <Table decisions={shown} chosen={chosen} />
      )}
      {more ? (
        <div className="panel-foot">
          <button type="button" className="button" onClick={more}>
            Older ones
          </button>
        </div>
      ) : null}
    </section>
  );
}

function counted({ matching, kept, total }: DecisionPage, isFiltered: boolean): string {
  const lost = total > kept ? `, the last ${whole(kept)} of ${whole(total)} are kept` : "";
  return isFiltered ? `${whole(matching)} of ${whole(kept)}${lost}` : `${whole(kept)}${lost}`;
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No decision matches">Change the search, or choose “by anybody”.</Empty>
  ) : (
    <Empty title="No change of plan yet">The plan is the one that the lane began with.</Empty>
  );
}

/** Pages of decisions: the first one follows what is decided; older ones are added on demand. */
function usePages(lane: string, search: string, by: string, chosen: string) {
  const live = useLive();
  const wanted = useDeferredValue(search);
  const [pages, setPages] = useState<readonly DecisionPage[]>([]);
  const [error, setError] = useState<Error | null>(null);
  const asked = query({ lane, search: wanted, by, limit: PAGE });

  useEffect(() => {
    const abort = new AbortController();
    const look = () =>
      getJson<DecisionPage>(`/api/decisions${asked}`, abort.signal)
        .then((page) => {
          setPages((before) => joined(page, before, asked));
          setError(null);
        })
        .catch((why: Error) => !abort.signal.aborted && setError(why));
    void look();
    let seen = live.lane(lane)?.now.decisions_total;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.subscribe(() => {
      const total = live.lane(lane)?.now.decisions_total;
      if (total === seen || timer !== undefined) return;
      timer = setTimeout(() => {
        timer = undefined;
        seen = live.lane(lane)?.now.decisions_total;
        void look();
      }, RENEW_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
      abort.abort();
    };
  }, [asked, lane, live]);

  const next = pages.at(-1)?.next ?? null;
  const older = () => {
    getJson<DecisionPage>(`/api/decisions${asked}&before=${encodeURIComponent(next ?? "")}`)
      .then((page) => setPages((before) => [...before, page]))
      .catch((why: Error) => setError(why));
  };
  // A decision that the address names is looked for on older pages, as far as they go.
  const isFound = pages.some((page) =>
    page.decisions.some(({ number }) => String(number) === chosen),
  );
  const looksOn = chosen !== "" && !isFound && next !== null && search === "" && by === "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: each page that comes may ask for the next
  useEffect(() => {
    if (looksOn) older();
  }, [looksOn, next]);
  return { pages, error, more: next === null ? null : older };
}

const askedFor = new WeakMap<DecisionPage, string>();

/** The new first page before the older ones, unless they answer another question. */
function joined(
  page: DecisionPage,
  before: readonly DecisionPage[],
  asked: string,
): readonly DecisionPage[] {
  const [first, ...rest] = before;
  askedFor.set(page, asked);
  if (!first || askedFor.get(first) !== asked || rest.length === 0) return [page];
  // What moved from the first page to the older ones meanwhile is kept between them.
  const known = new Set(page.decisions.map(({ id }) => id));
  const moved = first.decisions.filter(({ id }) => !known.has(id));
  return [page, { ...first, decisions: moved }, ...rest];
}

function Table({ decisions, chosen }: { decisions: readonly Decision[]; chosen: string }) {
  const live = useLive();
  const now = live.now();
  return (
    <div className="table-scroll">
      <table className="sentences">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What changed</th>
            <th scope="col">Plan since then</th>
            <th scope="col">By</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {decisions.map((decision) => (
            <Row
              key={decision.id}
              decision={decision}
              isChosen={String(decision.number) === chosen}
              now={now}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ decision, isChosen, now }: { decision: Decision; isChosen: boolean; now: number }) {
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isChosen) row.current?.scrollIntoView({ block: "center" });
  }, [isChosen]);
  const params = new URLSearchParams(window.location.search);
  params.set("decision", String(decision.number));
  return (
    <tr ref={row} className={isChosen ? "chosen" : ""} aria-current={isChosen ? "true" : undefined}>
      <td className="nowrap">
        <Link href={`${window.location.pathname}?${params}`}>{when(decision.at_unix_ms, now)}</Link>
      </td>
      <td>
        <span className="with-mark">
          <PlanMark direction={direction(decision)} />
          {changed(decision)}
        </span>
      </td>
      <td className="nowrap">{planText(decision.to)}</td>
      <td>{decision.by}</td>
      <td className="reason">{decision.reason}</td>
    </tr>
  );
}
