// What must hold on every page of every test: no error on the console, nothing that the
// Content-Security-Policy refuses, and no request to anybody but the server.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test as base, expect, type Page } from "@playwright/test";

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

interface Watched {
  /** Messages that this test causes on purpose. */
  readonly allowed: RegExp[];
}

export const test = base.extend<{ watched: Watched }>({
  watched: [
    async ({ page }, use) => {
      const problems: string[] = [];
      const watched: Watched = { allowed: [] };
      const outside = new Set<string>();
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning")
          problems.push(message.text());
      });
      page.on("pageerror", (error) => problems.push(`${error.message}\n${error.stack ?? ""}`));
      page.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (!["data:", "blob:"].includes(protocol) && hostname !== "127.0.0.1")
          outside.add(request.url());
      });
      await use(watched);
      const left = problems.filter((text) => !watched.allowed.some((known) => known.test(text)));
      expect(left, "errors on the console").toEqual([]);
      expect([...outside], "requests to others").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Violations of WCAG 2.2 A and AA, as axe finds them. */
export async function accessibility(page: Page): Promise<string[]> {
  // Not by a script element, which the policy of the page would refuse: as the debugger does it.
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
    return violations.map(
      ({ id, help, nodes }) =>
        `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join("\n")}`,
    );
  });
}

/** The text of a stat on the overview. */
export function stat(page: Page, name: string) {
  return page.locator(".stat", { has: page.getByText(name, { exact: true }) }).locator(".main");
}

/** Waits until the page says that it is live. */
export async function live(page: Page): Promise<void> {
  await expect(page.locator(".connection")).toHaveText("Live");
}
