// How is a number written? Three significant digits with its unit, so that it neither jumps about
// nor claims more than is known. Every function returns text with the unit in it, or "–" for what
// was not measured: nothing measured is never 0.

/** A figure in two parts, for those who set the unit smaller. */
export interface Figure {
  readonly value: string;
  readonly unit: string;
}

export const NONE: Figure = { value: "–", unit: "" };
const SPACE = " ";
const MINUS = "−";

type Maybe = number | null | undefined;

const known = (value: Maybe): value is number =>
  typeof value === "number" && Number.isFinite(value);

/** Digits with three significant figures; a value that rounds up keeps its number of digits. */
export function digits(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 && size >= 0.005 ? MINUS : "";
  if (size < 0.005) return "0";
  if (size < 9.995) return sign + size.toFixed(2);
  if (size < 99.95) return sign + size.toFixed(1);
  return sign + Math.round(size).toString();
}

/** Whole number in groups of three. */
export function whole(value: Maybe): string {
  if (!known(value)) return NONE.value;
  const text = Math.abs(Math.round(value))
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return (value <= -0.5 ? MINUS : "") + text;
}

const THOUSANDS = ["", "k", "M", "G", "T"] as const;

/** A count, exact below 10,000 and with a decimal prefix above. */
export function count(value: Maybe, unit = ""): Figure {
  if (!known(value)) return NONE;
  if (Math.abs(value) < 9_999.5) {
    const text = Number.isInteger(value) || Math.abs(value) >= 100 ? whole(value) : digits(value);
    return { value: text, unit };
  }
  return scaled(value, unit);
}

function scaled(value: number, unit: string): Figure {
  let [rest, power] = [value, 0];
  while (Math.abs(rest) >= 999.5 && power < THOUSANDS.length - 1) {
    rest /= 1000;
    power += 1;
  }
  return { value: digits(rest), unit: `${THOUSANDS[power]}${unit && power > 0 ? " " : ""}${unit}` };
}

/** So many a second; `of` names what. */
export function rate(value: Maybe, of = ""): Figure {
  if (!known(value)) return NONE;
  const { value: text, unit } =
    Math.abs(value) < 999.5 ? { value: digits(value), unit: "" } : scaled(value, "");
  return { value: text, unit: `${unit}${of ? `${unit ? " " : ""}${of}` : ""}/s` };
}

/** A duration given in milliseconds. */
export function duration(ms: Maybe): Figure {
  if (!known(ms)) return NONE;
  const size = Math.abs(ms);
  if (size === 0) return { value: "0", unit: "ms" };
  if (size < 0.9995) return { value: digits(ms * 1000), unit: "µs" };
  if (size < 999.5) return { value: digits(ms), unit: "ms" };
  if (size < 59_995) return { value: digits(ms / 1000), unit: "s" };
  const seconds = Math.round(size / 1000);
  if (seconds < 3600)
    return { value: `${Math.floor(seconds / 60)}:${two(seconds % 60)}`, unit: "min" };
  const minutes = Math.floor(seconds / 60);
  if (minutes < 48 * 60)
    return { value: `${Math.floor(minutes / 60)}:${two(minutes % 60)}`, unit: "h" };
  return { value: digits(seconds / 86_400), unit: "d" };
}

const two = (value: number) => value.toString().padStart(2, "0");
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes, in powers of 1024 as the configuration writes them. */
export function bytes(value: Maybe): Figure {
  if (!known(value)) return NONE;
  let [rest, power] = [value, 0];
  while (Math.abs(rest) >= 999.5 && power < BINARY.length - 1) {
    rest /= 1024;
    power += 1;
  }
  return { value: power === 0 ? whole(rest) : digits(rest), unit: BINARY[power] ?? "B" };
}

/** Bytes a second. */
export function byteRate(value: Maybe): Figure {
  const { value: text, unit } = bytes(value);
  return known(value) ? { value: text, unit: `${unit}/s` } : NONE;
}

/** A share of one, in percent. */
export function percent(share: Maybe): Figure {
  if (!known(share)) return NONE;
  const value = share * 100;
  const text = Math.abs(value) >= 9.95 ? Math.round(value).toString() : value.toFixed(1);
  return { value: text.replace("-", MINUS), unit: "%" };
}

/** A concurrency: real-valued, and exact where it is whole. */
export function concurrency(value: Maybe): Figure {
  if (!known(value)) return NONE;
  return { value: Number.isInteger(value) ? whole(value) : digits(value), unit: "×" };
}

/** A figure as one text. */
export function text({ value, unit }: Figure): string {
  if (!unit) return value;
  return unit === "%" ? `${value}${SPACE}%` : `${value}${SPACE}${unit}`;
}

/** A plan in the words of the decisions: `1,420 × 4`. */
export function planText(plan: { batch_size: number; concurrency: number }): string {
  const size = whole(plan.batch_size);
  return `${size}${SPACE}×${SPACE}${concurrency(plan.concurrency).value}`;
}
