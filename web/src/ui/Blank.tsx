// What is there when there is nothing? A sentence that says why, and what would change it.

import type { ReactNode } from "react";

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <svg
        viewBox="0 0 34 34"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        aria-hidden="true"
      >
        <path d="M4 22c4.3 0 4.3-3 8.6-3s4.3 3 8.6 3 4.3-3 8.6-3" strokeLinecap="round" />
        <path d="M9 8v7M17 8v7M25 8v7" strokeLinecap="round" />
      </svg>
      <strong>{title}</strong>
      {children ? <p>{children}</p> : null}
    </div>
  );
}

/** A part that is still on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <div className="skeleton">
      <span className="visually-hidden" role="status">
        Loading {what}
      </span>
      <i />
      <i />
      <i />
    </div>
  );
}

/** A part that could not be had. */
export function Failed({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  return (
    <div className="empty" role="alert">
      <strong>This could not be loaded</strong>
      <p>{error.message}</p>
      {onRetry ? (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
