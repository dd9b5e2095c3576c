// How does a number stand on the page? Its value at full weight, its unit smaller beside it.

import type { ReactNode } from "react";
import type { Figure as FigureParts } from "../format/number";

export function Figure({ of }: { of: FigureParts }) {
  return (
    <span className="figure-value">
      {of.value}
      {of.unit ? <span className="figure-unit"> {of.unit}</span> : null}
    </span>
  );
}

/** A figure with its name and a remark, in a `<dl className="stats">`. */
export function Stat({
  name,
  of,
  children,
}: {
  name: string;
  of: FigureParts;
  children?: ReactNode;
}) {
  return (
    <div className="stat">
      <dt>{name}</dt>
      <dd className="main">
        <Figure of={of} />
      </dd>
      <dd className="side">{children}</dd>
    </div>
  );
}
