// A strip on the page: its name, a key that always says the figures of now (or of where the crosshair
// is), and the drawing. It draws only while it can be seen.

import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from "react";
import { lowerBound } from "../live/series";
import type { MarkGroup } from "./marks";
import { type Columns, type Line, Strip, type StripOptions, type StripView } from "./strip";
import { onTheme } from "./theme";
import { Turns } from "./turns";

/** What a strip shows at a moment. */
export type Read = () => StripView;

export interface StripChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly read: Read;
  /** Calls back whenever there is something new to draw; returns how to stop that. */
  readonly onFresh: (listener: () => void) => () => void;
  readonly axis: StripOptions["axis"];
  readonly axisRight?: StripOptions["axisRight"];
  readonly timeAxis?: StripOptions["timeAxis"];
  readonly height?: number;
  readonly top?: number;
  readonly topRight?: number;
  readonly binary?: StripOptions["binary"];
  /** The key says the figures of the moment that is looked at, and not the last ones. */
  readonly ofMoment?: boolean;
  readonly sync?: string;
  readonly log?: boolean;
  readonly bare?: boolean;
  /** Stands behind the key: a target, for instance. */
  readonly extra?: ReactNode;
  /** Opens a decision that was clicked. */
  readonly onOpen?: (seq: number) => void;
  /** What is said while there is no value at all. */
  readonly none?: string;
}

interface Tip {
  readonly group: MarkGroup;
  readonly left: number;
  readonly width: number;
}

export function StripChart(props: StripChartProps) {
  const { title, lines, height = 118, none = "nothing yet" } = props;
  const place = useRef<HTMLDivElement>(null);
  const figures = useRef<(HTMLElement | null)[]>([]);
  const empty = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [tip, setTip] = useState<Tip | null>(null);
  const name = useId();
  // What a strip is made of changes rarely; then it is made anew.
  const shape = useMemo(() => lines.map((line) => `${line.label}${line.ink}`).join("|"), [lines]);

  useEffect(() => {
    const at = place.current;
    if (!at || !shape) return;
    const drawn = draw(at, latest, figures, empty, setTip);
    return () => drawn.stop();
  }, [shape]);

  const open = () => {
    const last = tip?.group.marks.at(-1);
    if (last) props.onOpen?.(last.seq);
  };
  return (
    <figure className="strip" aria-labelledby={name}>
      <figcaption className={props.bare ? "visually-hidden" : "strip-head"}>
        {/* In a table a strip is no section of its own. */}
        {props.bare ? <span id={name}>{title}</span> : <h3 id={name}>{title}</h3>}
        {props.extra}
        <div className="keys">
          {lines.map((line, at) => (
            <span className="key" key={line.label}>
              <Swatch line={line} />
              {line.label}
              <b
                ref={(element) => {
                  figures.current[at] = element;
                }}
              />
            </span>
          ))}
        </div>
      </figcaption>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the same decisions are links in the list beside it */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the same decisions are links in the list beside it */}
      <div className="strip-plot" style={{ height }} onClick={open}>
        <div ref={place} aria-hidden="true" />
        {props.bare ? null : (
          <div className="strip-empty" ref={empty} hidden>
            {none}
          </div>
        )}
        {tip ? <MarkTip tip={tip} /> : null}
      </div>
    </figure>
  );
}

type Latest = { readonly current: StripChartProps };

/** Makes the strip, keeps it in step with its width, the theme and what is new, and ends it. */
function draw(
  at: HTMLElement,
  latest: Latest,
  figures: { readonly current: (HTMLElement | null)[] },
  empty: { readonly current: HTMLElement | null },
  setTip: (tip: Tip | null) => void,
): { stop: () => void } {
  const {
    lines,
    axis,
    axisRight,
    timeAxis,
    height = 118,
    top,
    sync,
    log,
    onFresh,
    bare,
    topRight,
    binary,
  } = latest.current;
  let view = latest.current.read();
  let cursor: number | null = null;
  let seen = true;
  let group: MarkGroup | null = null;
  const write = (columns: Columns = view.columns) => {
    const moment = latest.current.ofMoment ? view.at : null;
    const index = cursor ?? placeOf(columns, moment) ?? lastKnown(columns);
    lines.forEach((line, place) => {
      const element = figures.current[place];
      const column = columns[place + 1];
      const value = index === null ? null : column?.[index];
      // Lines of a race have points at times of their own: what holds is the last one.
      const text = line.format(latest.current.ofMoment ? heldAt(column, index) : value);
      if (element && element.textContent !== text) element.textContent = text;
    });
    if (empty.current) empty.current.hidden = hasAny(columns);
  };
  const options: StripOptions = {
    lines,
    axis,
    height,
    ...(axisRight ? { axisRight } : {}),
    ...(timeAxis ? { timeAxis } : {}),
    ...(top === undefined ? {} : { top }),
    ...(topRight === undefined ? {} : { topRight }),
    ...(binary ? { binary } : {}),
    ...(sync ? { sync } : {}),
    ...(log ? { log } : {}),
    ...(bare ? { bare } : {}),
    onCursor: (index) => {
      cursor = index;
      write();
    },
    onMarks: (next, left) => {
      if (next?.at === group?.at) return;
      group = next;
      setTip(next ? { group: next, left, width: at.clientWidth } : null);
    },
  };
  let width = Math.max(at.clientWidth, 80);
  const strip = new Strip(at, width, options, view);
  const turns = new Turns();
  const fresh = () => {
    if (!seen || document.hidden) return;
    const next = latest.current.read();
    // The figures follow each tick; the drawing, which is what costs, has its turns.
    if (turns.isDue(next, width)) {
      view = next;
      strip.show(view);
    }
    write(cursor === null ? next.columns : view.columns);
  };
  write();
  const resize = new ResizeObserver(() => {
    width = Math.max(at.clientWidth, 80);
    strip.resize(width);
  });
  resize.observe(at);
  const sight = new IntersectionObserver(
    (entries) => {
      const isSeen = entries.at(-1)?.isIntersecting ?? true;
      // What comes into sight is drawn at once: it is as old as when it was last seen.
      if (isSeen && !seen) turns.reset();
      seen = isSeen;
      fresh();
    },
    { rootMargin: "120px" },
  );
  sight.observe(at);
  const stops = [
    onFresh(fresh),
    onTheme(() => strip.redraw()),
    () => resize.disconnect(),
    () => sight.disconnect(),
    () => strip.destroy(),
  ];
  return { stop: () => stops.forEach((stop) => void stop()) };
}

/** The place of the last point at a moment, if one is looked at. */
function placeOf([times]: Columns, moment: number | null | undefined): number | null {
  if (moment === null || moment === undefined) return null;
  return Math.max(0, Math.min(lowerBound(times, moment), times.length - 1));
}

/** The last value there is up to a place. */
function heldAt(column: readonly (number | null)[] | undefined, index: number | null) {
  return column?.slice(0, (index ?? -1) + 1).findLast((value) => value !== null) ?? null;
}

function lastKnown(columns: Columns): number | null {
  return columns[0].length > 0 ? columns[0].length - 1 : null;
}

function hasAny([, ...columns]: Columns): boolean {
  return columns.some((column) => column.some((value) => value !== null && value !== undefined));
}

function Swatch({ line }: { line: Line }) {
  return (
    <svg viewBox="0 0 14 8" aria-hidden="true">
      <line
        x1="0"
        y1="4"
        x2="14"
        y2="4"
        stroke={`var(--${line.ink})`}
        strokeWidth={(line.width ?? 1.5) + 0.4}
        strokeDasharray={line.dash?.join(" ")}
      />
    </svg>
  );
}

function MarkTip({ tip }: { tip: Tip }) {
  const { marks } = tip.group;
  const last = marks.at(-1);
  const onRight = tip.left > tip.width / 2;
  const side = onRight ? { right: tip.width - tip.left + 10 } : { left: tip.left + 10 };
  return (
    <div className="tip" style={side}>
      {marks.length > 1 ? (
        <div className="fine">{marks.length} changes of plan, the last:</div>
      ) : null}
      {last?.text}
    </div>
  );
}
