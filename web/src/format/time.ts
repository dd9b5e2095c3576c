// When was it? Clock times in the zone of whoever looks, to the second, and spans in words.

const two = (value: number) => value.toString().padStart(2, "0");

/** 14:03:07. */
export function clock(unixMs: number): string {
  const at = new Date(unixMs);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** 14:03. */
export function clockMinutes(unixMs: number): string {
  return clock(unixMs).slice(0, 5);
}

/** 2026-11-24 14:03:07. */
export function dateTime(unixMs: number): string {
  const at = new Date(unixMs);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(unixMs)}`;
}

/** A time as it is worth writing seen from `nowMs`: without its date while that is today. */
export function when(unixMs: number, nowMs: number): string {
  const sameDay = new Date(unixMs).toDateString() === new Date(nowMs).toDateString();
  return sameDay ? clock(unixMs) : dateTime(unixMs);
}

/** `just now`, `12 s ago`, `4 min ago`, `3 h ago`, `2 d ago`. */
export function ago(unixMs: number, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - unixMs) / 1000);
  if (seconds < 2) return "just now";
  return `${span(seconds * 1000)} ago`;
}

/** A span in its largest whole unit. */
export function span(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
