// A question that must be answered before anything else: the browser's own modal dialog, which keeps
// the focus, closes with Escape and gives the focus back.

import { type ReactNode, useEffect, useId, useRef } from "react";

export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const at = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const dialog = at.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={at} aria-labelledby={title} onCancel={props.onClose}>
      <h2 id={title}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}
