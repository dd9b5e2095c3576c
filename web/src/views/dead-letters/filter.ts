// Which letters are meant? The filter stands in the address, and the same one goes to the server for
// looking, sending again, exporting and removing: what is shown is what is acted on.

import { useMemo } from "react";
import { query } from "../../api/client";
import { setParams, useParam } from "../../app/router";

export const FIELDS = ["sink", "lane", "class", "kind", "reason", "group"] as const;
export type Field = (typeof FIELDS)[number];
export type Filter = Readonly<Record<Field, string>>;

export const NO_FILTER: Filter = { sink: "", lane: "", class: "", kind: "", reason: "", group: "" };

export function useFilter(): Filter {
  const [sink] = useParam("sink");
  const [lane] = useParam("lane");
  const [klass] = useParam("class");
  const [kind] = useParam("kind");
  const [reason] = useParam("reason");
  const [group] = useParam("group");
  return useMemo(
    () => ({ sink, lane, class: klass, kind, reason, group }),
    [sink, lane, klass, kind, reason, group],
  );
}

export function setFilter(filter: Partial<Filter>): void {
  setParams({ ...filter, letter: null });
}

export const isFiltered = (filter: Filter) => FIELDS.some((field) => filter[field] !== "");

/** The filter as a query of the API, with what else is asked. */
export const asQuery = (filter: Filter, more: Parameters<typeof query>[0] = {}) =>
  query({ ...filter, ...more });

/** The filter in words. */
export function inWords(filter: Filter): string {
  const parts = FIELDS.filter((field) => filter[field] !== "").map(
    (field) => `${field === "reason" ? "reason contains" : field} “${filter[field]}”`,
  );
  return parts.length > 0 ? parts.join(", ") : "all dead letters";
}
