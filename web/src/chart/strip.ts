// How is a series drawn? One uPlot for each strip of small multiples, all with the same time axis and a
// crosshair in common. It is driven from outside React: four times a second a strip takes new arrays,
// and nothing is rendered anew but its canvas and the figures in its legend.

import uPlot from "uplot";
import { groupMarks, type Mark, type MarkGroup, nearestGroup } from "./marks";
import { FONT, type Ink, ink } from "./theme";

/** Columns over time: seconds since 1970, and for each line a value or `null` for a hole. */
export type Columns = [number[], ...(number | null)[][]];

/** A line of a strip. */
export interface Line {
  readonly label: string;
  readonly ink: Ink;
  /** A value as it is written, with its unit. */
  readonly format: (value: number | null | undefined) => string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly fill?: boolean;
  /** Holds its value until the next one. */
  readonly steps?: boolean;
  /** Has the axis on the right. */
  readonly right?: boolean;
}

/** What a strip shows besides its columns. */
export interface StripView {
  readonly columns: Columns;
  readonly marks?: readonly Mark[];
  /** A line to stay under, on the left axis. */
  readonly target?: number | null;
  /** Times in seconds for which nothing is known. */
  readonly gaps?: readonly (readonly [number, number])[];
  /** A moment that is looked at. */
  readonly at?: number | null;
  readonly from: number;
  readonly to: number;
}

/** How a strip is made. */
export interface StripOptions {
  readonly lines: readonly Line[];
  readonly height: number;
  /** Ticks of the left axis. */
  readonly axis: (value: number) => string;
  /** Ticks of the right axis, if a line has it. */
  readonly axisRight?: (value: number) => string;
  /** The smallest top of the axis, so that a flat line near 0 does not fill the strip. */
  readonly top?: number;
  /** The same of the right axis. */
  readonly topRight?: number;
  /** Which axes have ticks at powers of two, for bytes. */
  readonly binary?: "left" | "right";
  /** Strips with the same key have one crosshair. */
  readonly sync?: string;
  readonly timeAxis?: (seconds: number) => string;
  readonly log?: boolean;
  /** Without axes: a line in a table. */
  readonly bare?: boolean;
  /** Tells which values the crosshair is on; `null`: those of now. */
  readonly onCursor: (index: number | null) => void;
  /** Tells which decisions the pointer is on. */
  readonly onMarks: (group: MarkGroup | null, left: number) => void;
}

const MARK_PX = 9;
const MARK_SIZE = 4.5;

/** A drawn strip. */
export class Strip {
  #plot: uPlot;
  #view: StripView;
  #groups: MarkGroup[] = [];
  readonly #options: StripOptions;

  constructor(at: HTMLElement, width: number, options: StripOptions, view: StripView) {
    this.#options = options;
    this.#view = view;
    this.#plot = new uPlot(this.#settings(width), view.columns, at);
    this.show(view);
  }

  /** Draws what is given. */
  show(view: StripView): void {
    this.#view = view;
    const pixels = this.#plot.bbox.width / devicePixelRatio || 1;
    const apart = ((view.to - view.from) / pixels) * MARK_PX;
    const visible = (view.marks ?? []).filter((mark) => mark.at >= view.from && mark.at <= view.to);
    this.#groups = groupMarks(visible, apart);
    this.#plot.batch(() => {
      this.#plot.setData(view.columns, false);
      this.#plot.setScale("x", { min: view.from, max: view.to });
    });
  }

  resize(width: number): void {
    this.#plot.setSize({ width, height: this.#options.height });
    this.show(this.#view);
  }

  /** Draws again, in the colours of now. */
  redraw(): void {
    this.#plot.redraw(true, true);
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #settings(width: number): uPlot.Options {
    const { lines, height, sync } = this.#options;
    const hasRight = lines.some((line) => line.right);
    return {
      width,
      height,
      pxAlign: 1,
      padding: this.#options.bare ? [6, 4, 4, 4] : [10, hasRight ? 0 : 24, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: false, y: false },
        ...(sync ? { sync: { key: sync, scales: ["x", null] } } : {}),
      },
      scales: {
        x: { time: false },
        y: {
          ...(this.#options.log ? { distr: 3 as const } : {}),
          range: (_, __, max) => this.#range(max),
        },
        right: {
          range: (_, __, max) => [0, headroom(Math.max(max ?? 0, this.#options.topRight ?? 0))],
        },
      },
      axes: this.#options.bare ? [{ show: false }, { show: false }] : this.#axes(hasRight),
      series: [{}, ...lines.map((line) => series(line))],
      hooks: {
        drawClear: [(plot) => this.#drawGaps(plot)],
        draw: [(plot) => this.#drawOver(plot)],
        setCursor: [(plot) => this.#cursor(plot)],
      },
    };
  }

  #range(max: number | null): [number, number] {
    const target = this.#view?.target ?? 0;
    const top = Math.max(max ?? 0, target ?? 0, this.#options.top ?? 0);
    return this.#options.log ? [1, Math.max(10, top * 1.3)] : [0, headroom(top)];
  }

  #axes(hasRight: boolean): uPlot.Axis[] {
    const text = { font: FONT, stroke: () => ink("text-3"), labelSize: 0 };
    const grid = { stroke: () => ink("grid"), width: 1 };
    const time = this.#options.timeAxis ?? clockOfTick;
    const y: uPlot.Axis = {
      ...text,
      scale: "y",
      size: 52,
      ...(this.#options.binary === "left" ? { incrs: BINARY_STEPS } : {}),
      gap: 6,
      ticks: { show: false },
      grid,
      space: 26,
      values: (_, splits) =>
        splits.map((value) => (value === null ? "" : this.#options.axis(value))),
    };
    const axes: uPlot.Axis[] = [
      {
        ...text,
        size: 22,
        gap: 4,
        space: 64,
        ticks: { show: false },
        grid,
        values: (_, splits) => splits.map(time),
      },
      y,
    ];
    if (hasRight) {
      const right = this.#options.axisRight ?? this.#options.axis;
      axes.push({
        ...y,
        scale: "right",
        side: 1,
        size: 52,
        ...(this.#options.binary === "right" ? { incrs: BINARY_STEPS } : {}),
        grid: { show: false },
        values: (_, splits) => splits.map((value) => (value === null ? "" : right(value))),
      });
    }
    return axes;
  }

  /** Where nothing is known there is a hatched band, and no line across it. */
  #drawGaps(plot: uPlot): void {
    const { ctx, bbox } = plot;
    for (const [from, to] of this.#view.gaps ?? []) {
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
      if (right - left < 1) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.strokeStyle = ink("line-strong");
      ctx.lineWidth = devicePixelRatio;
      ctx.globalAlpha = 0.55;
      const step = 7 * devicePixelRatio;
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += step) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
  }

  #drawOver(plot: uPlot): void {
    const { ctx } = plot;
    ctx.save();
    this.#drawTarget(plot);
    this.#drawMoment(plot);
    for (const group of this.#groups) this.#drawMark(plot, group);
    ctx.restore();
  }

  #drawTarget(plot: uPlot): void {
    const target = this.#view.target;
    if (!target) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(target, "y", true)) + 0.5;
    ctx.strokeStyle = ink("text-2");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  #drawMoment(plot: uPlot): void {
    const { at, from, to } = this.#view;
    if (at === null || at === undefined || at < from || at > to) return;
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
    ctx.strokeStyle = ink("accent");
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }

  #drawMark(plot: uPlot, group: MarkGroup): void {
    const { ctx, bbox } = plot;
    const size = MARK_SIZE * devicePixelRatio * (group.marks.length > 1 ? 1.2 : 1);
    const x = plot.valToPos(group.at, "x", true);
    const wanted = plot.valToPos(group.value, "y", true);
    const y = Math.min(Math.max(wanted, bbox.top + size), bbox.top + bbox.height - size);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) return;
    ctx.beginPath();
    if (group.direction === "up") {
      ctx.moveTo(x, y - size);
      ctx.lineTo(x + size, y + size * 0.8);
      ctx.lineTo(x - size, y + size * 0.8);
    } else if (group.direction === "down") {
      ctx.moveTo(x, y + size);
      ctx.lineTo(x + size, y - size * 0.8);
      ctx.lineTo(x - size, y - size * 0.8);
    } else {
      ctx.moveTo(x, y - size);
      ctx.lineTo(x + size, y);
      ctx.lineTo(x, y + size);
      ctx.lineTo(x - size, y);
    }
    ctx.closePath();
    // Up is full, down is hollow, another is a full lozenge: told apart without colour.
    ctx.fillStyle = group.direction === "down" ? ink("surface") : ink("mark");
    ctx.strokeStyle = group.direction === "down" ? ink("mark") : ink("surface");
    ctx.lineWidth = (group.direction === "down" ? 1.4 : 1.2) * devicePixelRatio;
    ctx.fill();
    ctx.stroke();
  }

  #cursor(plot: uPlot): void {
    const { idx, left } = plot.cursor;
    const outside = left === undefined || left === null || left < 0;
    this.#options.onCursor(outside ? null : (idx ?? null));
    if (outside) {
      this.#options.onMarks(null, 0);
      return;
    }
    const { from, to } = this.#view;
    const pixels = plot.bbox.width / devicePixelRatio || 1;
    const at = plot.posToVal(left, "x");
    const group = nearestGroup(this.#groups, at, ((to - from) / pixels) * MARK_PX);
    this.#options.onMarks(group, left + plot.bbox.left / devicePixelRatio);
  }
}

/** Room above the highest value. */
const headroom = (max: number) => max * 1.12 || 1;

/** Powers of two: steps at which bytes are round. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

function series(line: Line): uPlot.Series {
  return {
    scale: line.right ? "right" : "y",
    stroke: () => ink(line.ink),
    width: line.width ?? 1.5,
    ...(line.dash ? { dash: [...line.dash] } : {}),
    ...(line.fill ? { fill: () => ink("series-fill") } : {}),
    ...(line.steps
      ? { paths: uPlot.paths.stepped?.({ align: 1 }) as uPlot.Series.PathBuilder }
      : {}),
    points: { show: false },
    spanGaps: false,
  };
}

function clockOfTick(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => value.toString().padStart(2, "0");
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return at.getSeconds() === 0 ? minutes : `${minutes}:${two(at.getSeconds())}`;
}
