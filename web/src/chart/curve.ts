// How is a learnt curve drawn? Attempt latency against batch size, both in powers of ten: each attempt
// a point, the older the fainter; the median and the 95th of each size over them; the target and the
// size in force as lines. What failed differs in shape.

import { duration, text, whole } from "../format/number";
import { FONT, ink } from "./theme";

export interface CurvePoint {
  readonly items: number;
  readonly latency_ms: number;
  readonly outcome: string;
}

export interface CurveView {
  readonly points: readonly CurvePoint[];
  readonly bins: readonly {
    readonly items_mean: number;
    readonly p50_ms: number;
    readonly p95_ms: number;
  }[];
  readonly targetMs: number;
  readonly size: number;
  /** What the controller holds for right, if it can tell. */
  readonly learntSize: number | null;
}

export interface Placed {
  readonly x: number;
  readonly y: number;
  readonly point: CurvePoint;
}

/** A logarithmic axis over a span of pixels. */
export class LogAxis {
  readonly from: number;
  readonly to: number;
  readonly #pixels: readonly [number, number];

  constructor(values: readonly number[], pixels: readonly [number, number]) {
    const known = values.filter((value) => value > 0 && Number.isFinite(value));
    const [low, high] = [Math.min(...known, Number.POSITIVE_INFINITY), Math.max(...known, 0)];
    const isEmpty = known.length === 0;
    this.from = isEmpty ? 1 : low / 1.25;
    this.to = isEmpty ? 10 : Math.max(high * 1.25, this.from * 4);
    this.#pixels = pixels;
  }

  place(value: number): number {
    const [begin, end] = this.#pixels;
    const share = Math.log(Math.max(value, this.from) / this.from) / Math.log(this.to / this.from);
    return begin + (end - begin) * Math.min(share, 1);
  }

  /** Round values within the span: 1, 2 and 5 of each power of ten, or fewer where they are too many. */
  ticks(most: number): number[] {
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      const found: number[] = [];
      for (
        let power = Math.floor(Math.log10(this.from));
        power <= Math.ceil(Math.log10(this.to));
        power += 1
      ) {
        for (const step of steps) {
          const value = step * 10 ** power;
          if (value >= this.from && value <= this.to) found.push(value);
        }
      }
      if (found.length <= most) return found;
    }
    return [];
  }
}

const ROOM = { left: 52, right: 14, top: 14, bottom: 30 };

/** Draws the curve and says where each point is, in CSS pixels. */
export function drawCurve(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  view: CurveView,
): Placed[] {
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const ctx = canvas.getContext("2d");
  if (!ctx) return [];
  ctx.scale(ratio, ratio);
  ctx.font = FONT;
  const sizes = [...view.points.map(({ items }) => items), view.size, view.learntSize ?? 0];
  const times = [...view.points.map(({ latency_ms }) => latency_ms), view.targetMs];
  const x = new LogAxis(sizes, [ROOM.left, width - ROOM.right]);
  const y = new LogAxis(times, [height - ROOM.bottom, ROOM.top]);
  drawAxes(ctx, width, height, x, y);
  const placed = view.points.map((point) => ({
    x: x.place(point.items),
    y: y.place(point.latency_ms),
    point,
  }));
  drawPoints(ctx, placed);
  drawBins(ctx, view, x, y);
  drawLines(ctx, width, height, view, x, y);
  return placed;
}

function drawAxes(
  ctx: CanvasRenderingContext2D,
  width: number,
  height: number,
  x: LogAxis,
  y: LogAxis,
): void {
  ctx.strokeStyle = ink("grid");
  ctx.fillStyle = ink("text-3");
  ctx.lineWidth = 1;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (const value of y.ticks(height / 34)) {
    const at = Math.round(y.place(value)) + 0.5;
    line(ctx, ROOM.left, at, width - ROOM.right, at);
    ctx.fillText(text(duration(value)).replace(/\.0+(?=\D)/, ""), ROOM.left - 6, at);
  }
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const value of x.ticks(width / 64)) {
    const at = Math.round(x.place(value)) + 0.5;
    line(ctx, at, ROOM.top, at, height - ROOM.bottom);
    ctx.fillText(whole(value), at, height - ROOM.bottom + 6);
  }
}

function line(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

function drawPoints(ctx: CanvasRenderingContext2D, placed: readonly Placed[]): void {
  for (const [at, { x, y, point }] of placed.entries()) {
    ctx.globalAlpha = 0.18 + 0.6 * ((at + 1) / placed.length) ** 2;
    if (point.outcome === "ok") {
      ctx.fillStyle = ink("series-1");
      ctx.beginPath();
      ctx.arc(x, y, 2.4, 0, Math.PI * 2);
      ctx.fill();
    } else {
      ctx.globalAlpha = Math.max(ctx.globalAlpha, 0.7);
      ctx.strokeStyle = ink(point.outcome === "partial" ? "warn" : "bad");
      ctx.lineWidth = 1.6;
      line(ctx, x - 3.2, y - 3.2, x + 3.2, y + 3.2);
      line(ctx, x - 3.2, y + 3.2, x + 3.2, y - 3.2);
    }
  }
  ctx.globalAlpha = 1;
}

function drawBins(ctx: CanvasRenderingContext2D, view: CurveView, x: LogAxis, y: LogAxis): void {
  for (const [key, name, dash] of [
    ["p95_ms", "text-3", [4, 3]],
    ["p50_ms", "text", []],
  ] as const) {
    ctx.strokeStyle = ink(name);
    ctx.lineWidth = 1.8;
    ctx.setLineDash([...dash]);
    ctx.beginPath();
    for (const [at, bin] of view.bins.entries()) {
      const [px, py] = [x.place(bin.items_mean), y.place(bin[key])];
      if (at === 0) ctx.moveTo(px, py);
      else ctx.lineTo(px, py);
    }
    ctx.stroke();
    ctx.setLineDash([]);
  }
}

function drawLines(
  ctx: CanvasRenderingContext2D,
  width: number,
  height: number,
  view: CurveView,
  x: LogAxis,
  y: LogAxis,
): void {
  ctx.lineWidth = 1.2;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  const target = Math.round(y.place(view.targetMs)) + 0.5;
  ctx.strokeStyle = ink("text-2");
  ctx.setLineDash([4, 3]);
  line(ctx, ROOM.left, target, width - ROOM.right, target);
  ctx.setLineDash([]);
  ctx.fillStyle = ink("text-2");
  // On the left: the points crowd where the plan is, and that is seldom there.
  ctx.fillText(`target ${text(duration(view.targetMs))}`, ROOM.left + 4, target - 3);
  const upright = (size: number, name: string, top: number) => {
    const at = Math.round(x.place(size)) + 0.5;
    line(ctx, at, ROOM.top, at, height - ROOM.bottom);
    const isRight = at > width - 130;
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(name, at + (isRight ? -5 : 5), ROOM.top + top);
  };
  ctx.strokeStyle = ink("accent");
  ctx.fillStyle = ink("accent");
  upright(view.size, `in force ${whole(view.size)}`, 12);
  if (view.learntSize === null) return;
  ctx.setLineDash([1.5, 2.5]);
  upright(view.learntSize, `learnt ${whole(view.learntSize)}`, 26);
  ctx.setLineDash([]);
}

/** The point under the pointer, if one is near. */
export function nearestPoint(
  placed: readonly Placed[],
  x: number,
  y: number,
  reach = 10,
): Placed | null {
  let best: Placed | null = null;
  let least = reach * reach;
  for (const one of placed) {
    const distance = (one.x - x) ** 2 + (one.y - y) ** 2;
    if (distance <= least) {
      best = one;
      least = distance;
    }
  }
  return best;
}
