// Which state is it in? A shape, a colour and a word, any of which is enough.

import type { ReactNode } from "react";

export type Tone = "ok" | "warn" | "bad" | "idle" | "accent";
export type Shape = "disc" | "ring" | "triangle" | "square" | "bars" | "half" | "lozenge";

const PATHS: Record<Shape, ReactNode> = {
  disc: <circle cx="6" cy="6" r="4.5" fill="currentColor" />,
  ring: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  triangle: <path d="M6 1.2 11.2 10.6H.8Z" fill="currentColor" />,
  square: <rect x="1.6" y="1.6" width="8.8" height="8.8" rx="1" fill="currentColor" />,
  bars: <path d="M3 1.8v8.4M9 1.8v8.4" stroke="currentColor" strokeWidth="2.6" />,
  half: (
    <>
      <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.6" />
      <path d="M6 2a4 4 0 0 1 0 8Z" fill="currentColor" />
    </>
  ),
  lozenge: <path d="M6 .8 11.2 6 6 11.2.8 6Z" fill="currentColor" />,
};

export function Glyph({ shape, tone }: { shape: Shape; tone: Tone }) {
  return (
    <svg className={`tone-${tone}`} width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      {PATHS[shape]}
    </svg>
  );
}

export function Status({
  shape,
  tone,
  children,
}: {
  shape: Shape;
  tone: Tone;
  children: ReactNode;
}) {
  return (
    <span className="status">
      <Glyph shape={shape} tone={tone} />
      <span>{children}</span>
    </span>
  );
}
