// A lane with a thousand decisions: found, filtered, opened, and on the strips; the curve it learnt.

import { expect, live, test } from "./fixtures";
import { Load, Server } from "./server";

let server: Server;
let load: Load;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  // Nothing keeps a batch waiting here, so that each full one raises the size by one.
  server = new Server(`
sinks:
  saw: { type: blackhole, target: 1 ms, batch_size: { initial: 1, max: 2000 }, controller: { name: aimd, step: 1, decrease: 0.5, startup: 1 } }
`);
  await server.start();
  // Requests are larger than any batch, for only a full one raises the size.
  load = new Load(server, 50_000, 2500);
  const total = async () => (await server.get<{ total: number }>("/api/decisions?limit=1")).total;
  await expect.poll(total, { timeout: 100_000 }).toBeGreaterThan(1000);
});

test.afterAll(async () => {
  await load.stop();
  await server.dispose();
});

test("a thousand decisions are kept, searched by the server and read page by page", async ({
  page,
}) => {
  await page.goto(`${server.url}/lanes/saw/default`);
  await live(page);
  const decisions = page.getByRole("region", { name: "Decisions" });
  const rows = decisions.locator("tbody tr");
  await expect(rows).toHaveCount(100);
  await expect(decisions.locator(".panel-head")).toContainText(/1,000, the last 1,000 of/);
  await load.stop();
  // The button goes away with the last page, maybe while it is aimed at.
  const older = decisions.getByRole("button", { name: "Older ones" });
  for (let page = 2; page <= 10 && (await older.count()) > 0; page += 1) {
    await older.click({ timeout: 3000 }).catch(() => undefined);
    await expect.poll(() => rows.count()).toBeGreaterThanOrEqual(page * 100 - 10);
  }
  await expect.poll(() => rows.count()).toBeGreaterThanOrEqual(990);
  await decisions.getByRole("searchbox").fill("raised by 1");
  await expect(page).toHaveURL(/search=raised/);
  await expect(decisions.locator(".panel-head")).toContainText(/^Decisions[\d,]+ of 1,000/);
  await expect(decisions.locator("td.reason", { hasNotText: "raised by 1" })).toHaveCount(0);
  await expect(rows.first()).toBeVisible();
  await decisions.getByLabel("Decided by").selectOption("aimd");
  await expect(page).toHaveURL(/by=aimd/);
  await decisions.getByRole("searchbox").fill("no such reason");
  await expect(decisions).toContainText("No decision matches");
});

test("a decision has an address that can be shared", async ({ page }) => {
  await page.goto(`${server.url}/lanes/saw/default`);
  const decisions = page.getByRole("region", { name: "Decisions" });
  await decisions.locator("tbody tr").nth(3).getByRole("link").click();
  await expect(page).toHaveURL(/decision=\d+/);
  const chosen = decisions.locator("tr.chosen");
  await expect(chosen).toHaveCount(1);
  const told = await chosen.textContent();
  await page.reload();
  await expect(decisions.locator("tr.chosen")).toHaveText(told ?? "");
  await page.getByRole("link", { name: /Leave decision/ }).click();
  await expect(decisions.locator("tr.chosen")).toHaveCount(0);
});

test("the learnt curve is drawn, and is a table as well", async ({ page }) => {
  await page.goto(`${server.url}/lanes/saw/default`);
  const curve = page.getByRole("region", { name: "Learnt curve" });
  await expect(curve.getByRole("img", { name: /attempts, the plan at/ })).toBeVisible();
  await curve.getByText("As a table").click();
  await expect(curve.locator("tbody tr").first()).toContainText(/events\/s/);
  const plan = page.getByRole("region", { name: "Plan" });
  await expect(plan).toContainText(/Batch size[\d,]+ events/);
  await expect(plan).toContainText("1 to 2,000, began with 1");
  await expect(page.getByRole("region", { name: "Counts" })).toContainText("Why batches left");
});

test("a lane that is not there says which are", async ({ page }) => {
  await page.goto(`${server.url}/lanes/none/default`);
  await expect(page.getByText("There is no lane none/default")).toBeVisible();
  await page.locator("main").getByRole("link", { name: "saw/default" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("saw/default");
});
