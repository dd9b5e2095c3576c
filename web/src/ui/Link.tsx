// A link within the dashboard: an ordinary address, so that it can be opened in a tab or copied, that
// does not load the page anew when it is clicked.

import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { go } from "../app/router";

export function Link({
  href,
  ...rest
}: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (event.defaultPrevented || modified || event.button !== 0) return;
    event.preventDefault();
    go(href);
    window.scrollTo(0, 0);
  };
  return <a href={href} onClick={follow} {...rest} />;
}
