// What does each view look like, light and dark, wide and on a phone? The pictures are for eyes: they are
// looked at before a change lands, and the best are in the documentation.

import type { Page } from "@playwright/test";
import { Backend } from "./backend";
import { expect, live, test } from "./fixtures";
import { Load, Server } from "./server";

let server: Server;
let backend: Backend;
let load: Load;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  backend = await Backend.start();
  Object.assign(backend.mood, { fixedMs: 3, perEventMs: 0.05 });
  server = new Server(`
sinks:
  store: { type: sqlite, target: 50 ms, batch_size: { initial: 50, max: 5000 }, controller: aimd }
  api: { type: http, url: "${backend.url}", target: 20 ms, concurrency: 2, batch_size: { initial: 20, max: 2000 }, controller: { name: aimd, step: 10 } }
`);
  await server.start();
  load = new Load(server, 3000, 100);
  await server.post(
    Array.from(
      { length: 5 },
      (_, at) => `{"msg":"poison ${at}","amount":"12x${at}","service":"shop"}`,
    ),
  );
  // A backend that is slower for a while, so that there is something to see.
  await told(50);
  Object.assign(backend.mood, { perEventMs: 0.25 });
  await told(90);
  Object.assign(backend.mood, { perEventMs: 0.05 });
  await told(130);
});

test.afterAll(async () => {
  await load.stop();
  await server.dispose();
  await backend.stop();
});

/** Waits until there are so many points of history to draw, four a second. */
async function told(points: number): Promise<void> {
  const found = async () =>
    (await server.get<{ at_unix_ms: number[] }>("/api/history")).at_unix_ms.length;
  await expect.poll(found, { timeout: 60_000 }).toBeGreaterThan(points);
}

/** Tallest picture, in pixels. */
const TALLEST = 2800;

/** How far the page goes, once every strip down to there is drawn: they draw only while they are seen. */
async function drawnTo(page: Page): Promise<number> {
  const height = Math.min(
    await page.evaluate(() => document.documentElement.scrollHeight),
    TALLEST,
  );
  const width = page.viewportSize()?.width ?? 0;
  if (width < 500) await page.setViewportSize({ width, height });
  for (const key of await page.locator(".lanes .key b, .lane-main .key b").all())
    await expect(key).not.toBeEmpty();
  return height;
}

const VIEWS: readonly (readonly [string, string, (page: Page) => Promise<void>])[] = [
  ["overview", "/?range=2m", async (page) => expect(page.locator(".told").first()).toBeVisible()],
  [
    "rows",
    "/?range=2m&lanes=rows",
    async (page) => expect(page.locator("tbody tr")).toHaveCount(2),
  ],
  [
    "lane",
    "/lanes/api/default?range=2m",
    async (page) => expect(page.locator(".sentences tbody tr").first()).toBeVisible(),
  ],
  [
    "dead-letters",
    "/dead-letters?letter=1",
    async (page) => expect(page.locator(".payload pre")).toBeVisible(),
  ],
  [
    "resources",
    "/resources?range=2m",
    async (page) => expect(page.locator("canvas").first()).toBeVisible(),
  ],
  [
    "settings",
    "/settings?shown=chosen",
    async (page) => expect(page.locator("tbody tr").first()).toBeVisible(),
  ],
];

for (const [name, scheme, width, height] of [
  ["light", "light", 1440, 900],
  ["dark", "dark", 1440, 900],
  ["phone", "light", 390, 844],
  ["phone-dark", "dark", 390, 844],
] as const) {
  test(`every view, ${name}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const [view, path, ready] of VIEWS) {
      await page.goto(server.url + path);
      await live(page);
      await ready(page);
      // Nothing is wider than the screen: what is too wide scrolls within itself.
      const overhang = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      expect(overhang, `${view} is too wide`).toBeLessThanOrEqual(0);
      await page.evaluate(() => document.fonts.ready.then(() => undefined));
      await page.screenshot({
        path: `screenshots/${view}-${name}.png`,
        animations: "disabled",
        fullPage: true,
        clip: { x: 0, y: 0, width, height: await drawnTo(page) },
      });
      await page.setViewportSize({ width, height });
    }
  });
}
