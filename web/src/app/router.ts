// Which view is meant? The address says so, and nothing else does: every view, range, filter and
// moment can be shared as a link. A router of sixty lines, because that is all it takes.

import { useCallback, useMemo, useSyncExternalStore } from "react";

/** A view and what it shows. */
export type Route =
  | { readonly view: "overview" }
  | { readonly view: "lane"; readonly sink: string; readonly lane: string }
  | { readonly view: "dead-letters" }
  | { readonly view: "resources" }
  | { readonly view: "settings" }
  | { readonly view: "simulator" }
  | { readonly view: "unknown"; readonly path: string };

const PLAIN = ["dead-letters", "resources", "settings", "simulator"] as const;

/** Reads a path. */
export function parsePath(path: string): Route {
  const parts = path.split("/").filter(Boolean);
  const [first, sink, lane] = parts;
  if (first === undefined) return { view: "overview" };
  if (first === "lanes" && sink && lane && parts.length === 3) {
    const [sinkName, laneName] = [decoded(sink), decoded(lane)];
    if (sinkName !== null && laneName !== null) {
      return { view: "lane", sink: sinkName, lane: laneName };
    }
  }
  const plain = PLAIN.find((name) => name === first);
  return plain && parts.length === 1 ? { view: plain } : { view: "unknown", path };
}

/** An escape that means nothing makes the path unknown, not the page fail. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** The path of a lane. */
export const lanePath = (sink: string, lane: string) =>
  `/lanes/${encodeURIComponent(sink)}/${encodeURIComponent(lane)}`;

const MOVED = "tidegate:moved";

function subscribe(notify: () => void): () => void {
  window.addEventListener("popstate", notify);
  window.addEventListener(MOVED, notify);
  return () => {
    window.removeEventListener("popstate", notify);
    window.removeEventListener(MOVED, notify);
  };
}

/** Goes to a path within the dashboard. */
export function go(to: string, { replace = false } = {}): void {
  if (replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  window.dispatchEvent(new Event(MOVED));
}

/** The route of the address. */
export function useRoute(): Route {
  const path = useSyncExternalStore(subscribe, () => window.location.pathname);
  return useMemo(() => parsePath(path), [path]);
}

/** A parameter of the query: its value, and a way to set it (`null` or the usual value removes it). */
export function useParam(name: string, usual = ""): [string, (value: string | null) => void] {
  const query = useSyncExternalStore(subscribe, () => window.location.search);
  const value = new URLSearchParams(query).get(name) ?? usual;
  const set = useCallback(
    (next: string | null) => setParams({ [name]: next === usual ? null : next }),
    [name, usual],
  );
  return [value, set];
}

/** Sets several parameters at once; `null` or an empty text removes one. */
export function setParams(changes: Readonly<Record<string, string | null>>): void {
  const params = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  go(window.location.pathname + (query ? `?${query}` : ""), { replace: true });
}
