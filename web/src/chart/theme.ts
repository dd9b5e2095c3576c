// Which colours does a canvas draw with? Those of the tokens, read once a theme.

/** A colour of the tokens, by the name of its custom property without the dashes. */
export type Ink =
  | "series-1"
  | "series-2"
  | "series-3"
  | "series-fill"
  | "grid"
  | "mark"
  | "text"
  | "text-2"
  | "text-3"
  | "surface"
  | "line-strong"
  | "bad"
  | "warn"
  | "ok"
  | "accent";

let inks = new Map<Ink, string>();
const listeners = new Set<() => void>();

/** The colour now. */
export function ink(name: Ink): string {
  const known = inks.get(name);
  if (known !== undefined) return known;
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  inks.set(name, value);
  return value;
}

/** Told that the theme has changed. */
export function themeChanged(): void {
  inks = new Map();
  for (const listener of listeners) listener();
}

/** Calls `listener` at each change of the theme, until the returned function is called. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The family that canvases write in. */
export const FONT = '11px Inter, system-ui, "Liberation Sans", sans-serif';
