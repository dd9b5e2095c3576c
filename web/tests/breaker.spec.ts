// A backend that is not there: is the outage told, on the overview and in the lane, while it lasts and
// after it is over?

import { Backend } from "./backend";
import { accessibility, expect, live, test } from "./fixtures";
import { Load, Server } from "./server";

test("a breaker that opens is told while it lasts, and its end as well", async ({ page }) => {
  // An address that nobody listens at, until the backend comes back to it.
  const first = await Backend.start();
  const { port, url } = first;
  await first.stop();
  const server = new Server(`
sinks:
  away: { type: http, url: "${url}", breaker: { failures: 3, open: 200 ms, open_max: 400 ms, probes: 2 }, retry: { first: 10 ms, max: 50 ms } }
`);
  await server.start();
  const load = new Load(server, 200);
  let back: Backend | null = null;
  try {
    await page.goto(server.url);
    await live(page);
    const story = page.getByRole("region", { name: "What happened" });
    await expect(story).toContainText("breaker open: nothing is sent but probes");
    await expect(page.getByRole("list", { name: "Troubles" })).toContainText("refused");
    await expect(page).toHaveTitle(/^▲/);
    expect(await accessibility(page)).toEqual([]);
    await page.getByRole("link", { name: "away/default" }).first().click();
    const breaker = page.getByRole("region", { name: "Breaker and retries" });
    await expect(
      breaker.getByRole("list", { name: "History of the breaker" }).getByRole("listitem").first(),
    ).toBeVisible();
    await expect(breaker).toContainText(/Opened[1-9][\d,]* times?/);
    back = await Backend.start(port);
    await expect(breaker.locator(".panel-head")).toContainText("closed");
    await page.goto(server.url);
    await expect(story).toContainText(/breaker was open for \d+ (s|min)/);
    await expect(page.getByRole("list", { name: "Troubles" })).toHaveCount(0);
  } finally {
    await page.close();
    await load.stop();
    await server.dispose();
    await back?.stop();
  }
});
