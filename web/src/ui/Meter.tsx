// How full is it? A bar with the thresholds from which it is too full.

export interface Thresholds {
  readonly warn?: number | null | undefined;
  readonly bad?: number | null | undefined;
}

export function Meter(props: { label: string; share: number | null; text: string } & Thresholds) {
  const share = Math.min(Math.max(props.share ?? 0, 0), 1);
  const tone = over(share, props.bad) ? "bad" : over(share, props.warn) ? "warn" : "";
  return (
    // biome-ignore lint/a11y/useSemanticElements: browsers draw a <meter> each in their own way
    <span
      className={`meter ${tone}`}
      role="meter"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      aria-valuetext={props.text}
    >
      <i style={{ width: `${share * 100}%` }} />
      {props.warn ? <b style={{ left: `${props.warn * 100}%` }} /> : null}
    </span>
  );
}

const over = (share: number, limit: number | null | undefined) =>
  limit !== null && limit !== undefined && share >= limit;
