// A race in the browser: chosen, run by the server, read as a league, and gone through with the slider.

import { accessibility, expect, live, test } from "./fixtures";
import { Server } from "./server";

let server: Server;

test.beforeAll(async () => {
  server = new Server("sinks: { hole: { type: blackhole } }\n");
  await server.start();
});

test.afterAll(async () => {
  await server.dispose();
});

test("controllers are raced, and the race is replayed to any moment", async ({ page }) => {
  test.setTimeout(180_000);
  await page.goto(`${server.url}/simulator`);
  await live(page);
  await expect(page.getByText("No race yet")).toBeVisible();
  await page.getByLabel("Scenario").selectOption("step");
  for (const box of await page.getByRole("checkbox").all()) await box.uncheck();
  await page.getByRole("checkbox", { name: "aimd" }).check();
  await page.getByRole("checkbox", { name: "fixed" }).check();
  await page.getByLabel("Seeds").fill("1");
  await page.getByRole("button", { name: "Race them" }).click();
  await expect(page).toHaveURL(/run=\d+/);
  const league = page.getByRole("region", { name: "League" });
  await expect(league.locator("tbody tr")).toHaveCount(2, { timeout: 150_000 });
  await expect(league).toContainText(/Of the oracle/);
  // The best is followed unless another is chosen, and then the address says so.
  const second = league.locator("tbody tr").nth(1).getByRole("button");
  await second.click();
  await expect(page).toHaveURL(new RegExp(`runner=${await second.textContent()}`));
  await league.getByRole("button", { name: "aimd" }).click();
  const slider = page.getByRole("slider", { name: "Moment of the race" });
  await slider.fill("45");
  await expect(page).toHaveURL(/t=45/);
  const moment = page.getByRole("table", { name: "At 45.0 s" });
  await expect(moment.getByRole("row", { name: /^aimd/ })).toContainText(/×/);
  await expect(
    page.getByRole("region", { name: "Decisions of aimd" }).locator("tr.chosen"),
  ).toHaveCount(1);
  expect(await accessibility(page)).toEqual([]);
  for (const [name, scheme, width] of [
    ["light", "light", 1440],
    ["dark", "dark", 1440],
    ["phone", "light", 390],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: `screenshots/simulator-${name}.png`, fullPage: true });
  }
  await page.reload();
  await expect(slider).toHaveValue("45");
  await expect(league.locator("tbody tr")).toHaveCount(2);
});

test("a race can be ended", async ({ page }) => {
  await page.goto(`${server.url}/simulator`);
  await page.getByLabel("Scenario").selectOption("pgA");
  // As long as may be: it must not be over before it is cancelled, however fast the machine.
  await page.getByLabel("Seeds").fill("20");
  await page.getByRole("button", { name: /^Race/ }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("It was cancelled.")).toBeVisible();
});
