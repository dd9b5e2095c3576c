// Does the overview tell what happens, live, and does it know when it does not know?

import { Backend } from "./backend";
import { accessibility, expect, live, stat, test } from "./fixtures";
import { Load, Server } from "./server";
import { Wire } from "./wire";

let server: Server;
let backend: Backend;
let load: Load;

test.beforeAll(async () => {
  backend = await Backend.start();
  server = new Server(`
sinks:
  store: { type: sqlite, target: 50 ms, batch_size: { initial: 20, max: 5000 }, controller: aimd }
  api: { type: http, url: "${backend.url}", target: 20 ms, batch_size: { initial: 10, max: 500 }, controller: { name: aimd, step: 5 } }
`);
  await server.start();
  load = new Load(server, 1500);
});

test.afterAll(async () => {
  await load.stop();
  await server.dispose();
  await backend.stop();
});

test("figures move, each with its unit, and every decision is told with its reason", async ({
  page,
}) => {
  await page.goto(server.url);
  await live(page);
  await expect(page.getByRole("heading", { level: 1 })).not.toBeEmpty();
  await expect(stat(page, "Events in")).toHaveText(/^[\d.]+ (k)?\/s$/);
  await expect(stat(page, "Attempt p99")).toHaveText(/ (µs|ms|s)$/);
  await expect(stat(page, "Memory")).toHaveText(/ MiB$/);
  const before = await stat(page, "Events in").textContent();
  await expect(stat(page, "Events in")).not.toHaveText(before ?? "");
  const story = page.getByRole("region", { name: "What happened" });
  await expect(story.locator(".told").first()).toContainText(/raised|lowered/);
  await expect(story.locator(".told-what").first()).toContainText(/→|changes between|tried/);
  await expect(
    page.getByRole("region", { name: "Lane api/default" }).locator("canvas"),
  ).toHaveCount(6);
});

test("a strip follows the data: its key says what the server says", async ({ page }) => {
  await page.goto(server.url);
  await live(page);
  const size = page
    .getByRole("region", { name: "Lane store/default" })
    .getByRole("figure", { name: "Batch size" });
  await expect(async () => {
    const { tick, lanes } = await server.get<{
      tick: { lanes: { plan: { batch_size: number } }[] };
      lanes: { key: string }[];
    }>("/api/snapshot");
    const place = lanes.findIndex(({ key }) => key === "store/default");
    const planned = tick.lanes[place]?.plan.batch_size.toLocaleString("en-GB") ?? "";
    await expect(size).toContainText(`plan${planned}`, { timeout: 400 });
  }).toPass();
});

test("rows and panels, the range and the theme are chosen, kept in the address, and shared", async ({
  page,
}) => {
  await page.goto(server.url);
  await page.getByRole("radio", { name: "Rows" }).check();
  await page.getByRole("radio", { name: "1 h" }).check();
  await expect(page).toHaveURL(/lanes=rows/);
  await expect(page).toHaveURL(/range=1h/);
  await expect(page.getByRole("row", { name: /store/ })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("row", { name: /api/ })).toBeVisible();
  await expect(page.getByRole("radio", { name: "1 h" })).toBeChecked();
  const theme = page.getByRole("button", { name: /^Theme/ });
  const before = await page.evaluate(() => document.documentElement.dataset.theme);
  await theme.click();
  await theme.click();
  await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  expect(before).toBe("light");
});

test("a page opened late is not empty", async ({ page }) => {
  const points = async () =>
    (await server.get<{ at_unix_ms: number[] }>("/api/history")).at_unix_ms.length;
  // Half a minute of it, at four points a second.
  await expect.poll(points, { timeout: 60_000 }).toBeGreaterThan(120);
  await page.goto(`${server.url}/?range=2m`);
  await live(page);
  // Drawn from the history: where the line is older than the page.
  const strip = page.getByRole("figure", { name: "Events" }).first().locator("canvas");
  const isDrawn = () =>
    strip.evaluate((canvas: HTMLCanvasElement) => {
      const { width, height } = canvas;
      const [shownSeconds, age] = [60, performance.now() / 1000];
      const left = width * (1 - (age + 9) / shownSeconds);
      const pixels =
        canvas.getContext("2d")?.getImageData(left, 0, (width * 6) / shownSeconds, height).data ??
        [];
      // The colour of the line, not of the grid behind it.
      const isLine = (at: number) =>
        (pixels[at] ?? 255) < 80 && (pixels[at + 1] ?? 0) > 90 && (pixels[at + 3] ?? 0) > 150;
      return Array.from({ length: pixels.length / 4 }, (_, pixel) => pixel * 4).some(isLine);
    });
  await expect.poll(isDrawn).toBe(true);
});

test("everything can be reached by the keyboard, and the focus is seen", async ({ page }) => {
  await page.goto(server.url);
  await live(page);
  // A key goes to the page that is in front, and is dropped before the first frame is drawn.
  await page.bringToFront();
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "To the figures" })).toBeFocused();
  for (let press = 0; press < 4; press += 1) await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Resources" })).toBeFocused();
  const outline = await page.evaluate(
    () => getComputedStyle(document.activeElement as Element).outlineStyle,
  );
  expect(outline).toBe("solid");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Resources" })).toBeVisible();
  await expect(page.locator("main")).toBeFocused();
});

for (const scheme of ["light", "dark"] as const) {
  test(`axe finds nothing, ${scheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    for (const path of [
      "/",
      "/?lanes=rows",
      "/lanes/store/default",
      "/resources",
      "/settings",
      "/dead-letters",
      "/nowhere",
    ]) {
      await page.goto(server.url + path);
      await live(page);
      await expect(page.getByRole("heading").first()).toBeVisible();
      expect(await accessibility(page), path).toEqual([]);
    }
  });
}

test("after the server restarts it goes on by itself, and draws no line across what it missed", async ({
  page,
  watched,
}) => {
  watched.allowed.push(
    /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/,
  );
  await page.goto(`${server.url}/?range=2m`);
  await live(page);
  await server.stop();
  await expect(page.locator(".connection")).toHaveText("Disconnected");
  await expect(page.locator(".banner")).toContainText(/What is shown is as of \d\d:\d\d:\d\d/);
  await server.start();
  await live(page);
  await expect(page.locator(".banner")).toHaveCount(0);
  await expect(page.getByRole("region", { name: "What happened" })).toContainText(
    "the server was restarted",
  );
  const before = await stat(page, "Events in").textContent();
  await expect(stat(page, "Events in")).not.toHaveText(before ?? "");
});

test("a break that the server can bridge leaves no gap", async ({ page, watched }) => {
  watched.allowed.push(/ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
  const wire = await Wire.to(server.url);
  try {
    await page.goto(`${wire.url}/?range=2m`);
    await live(page);
    const again = page.waitForRequest(
      (request) => request.url().endsWith("/api/stream") && "last-event-id" in request.headers(),
    );
    wire.cut();
    await again;
    await live(page);
    const before = await stat(page, "Events in").textContent();
    await expect(stat(page, "Events in")).not.toHaveText(before ?? "");
    const story = page.getByRole("region", { name: "What happened" });
    await expect(story).not.toContainText("this page was away");
  } finally {
    await page.close();
    await wire.stop();
  }
});

test("a connection that is open and silent is called stale, and its age is told", async ({
  page,
}) => {
  const wire = await Wire.to(server.url);
  try {
    await page.goto(wire.url);
    await live(page);
    wire.hold();
    await expect(page.locator(".connection")).toHaveText("Stale");
    await expect(page.locator(".banner")).toContainText(/Nothing new for \d+ s/);
    wire.release();
    await live(page);
    await expect(page.locator(".banner")).toHaveCount(0);
  } finally {
    await page.close();
    await wire.stop();
  }
});

test("the policy of the page allows nothing but what the server sends", async ({
  page,
  watched,
}) => {
  watched.allowed.push(/Content.Security.Policy/i);
  const response = await page.goto(server.url);
  const policy = response?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  await live(page);
  // A script in the page itself is refused: the policy is not only said.
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = 1";
    document.body.append(script);
    return "ran" in window;
  });
  expect(ran).toBe(false);
});
