// What was given up: looked at, mended, sent again, exported and removed; and nothing in it is ever
// interpreted.

import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { Backend } from "./backend";
import { accessibility, expect, live, test } from "./fixtures";
import { Server } from "./server";

const EVIL = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';

let server: Server;
let backend: Backend;

test.beforeEach(async () => {
  backend = await Backend.start();
  server = new Server(`
classes: { audit: {} }
sinks:
  api: { type: http, url: "${backend.url}" }
dashboard: { mask: [password] }
`);
  await server.start();
  const event = (at: number) =>
    `{"msg":"poison ${at}","note":${JSON.stringify(EVIL)},"big":12345678901234567890.50,"at":${at}}`;
  expect(await server.post(Array.from({ length: 6 }, (_, at) => event(at)))).toBe(true);
  expect(await server.post(['{"msg":"poison audit","class":"audit","password":"hush"}'])).toBe(
    true,
  );
  await expect
    .poll(async () => (await server.get<{ total: number }>("/api/dead-letters")).total)
    .toBe(7);
});

test.afterEach(async ({ page }) => {
  // Before its server goes: what it would say to that is another test's matter.
  await page.close();
  await server.dispose();
  await backend.stop();
});

const letters = (page: Page) => page.getByRole("region", { name: "Letters" });

const row = (page: Page, lane: string) =>
  letters(page).locator("tbody tr", { hasText: lane }).first();

test("groups and letters are shown as they are: nothing in them is interpreted, no digit is lost", async ({
  page,
}) => {
  await page.goto(`${server.url}/dead-letters`);
  await live(page);
  await expect(
    page.getByRole("navigation").getByRole("link", { name: /Dead letters/ }),
  ).toContainText("7");
  await expect(page.getByRole("region", { name: "By reason" }).locator("tbody tr")).toHaveCount(1);
  await row(page, "api/default").getByRole("button").click();
  await expect(page).toHaveURL(/letter=\d/);
  const payload = page.locator(".payload pre");
  await expect(payload).toContainText("12345678901234567890.50");
  await expect(payload).toContainText("<img src=x");
  expect(await page.evaluate(() => (window as unknown as { hit?: number }).hit)).toBeUndefined();
  expect(await accessibility(page)).toEqual([]);
});

test("what is masked by name stays masked, and cannot be overwritten by its mask", async ({
  page,
}) => {
  await page.goto(`${server.url}/dead-letters?lane=audit`);
  await letters(page).locator("tbody").getByRole("button").click();
  await expect(page.locator(".payload pre")).toContainText('"***"');
  await expect(page.locator(".payload pre")).not.toContainText("hush");
  await expect(page.getByRole("button", { name: "Mend" })).toBeDisabled();
});

test("a letter is mended and sent again", async ({ page }) => {
  await page.goto(`${server.url}/dead-letters`);
  await row(page, "api/default").getByRole("button").click();
  const letter = page.getByRole("region", { name: /^Letter \d/ });
  await letter.getByRole("button", { name: "Send it again" }).click();
  await expect(page.getByRole("status").getByText("0 delivered, 1 refused again")).toBeVisible();
  await letter.getByRole("button", { name: "Mend" }).click();
  const editor = letter.getByRole("textbox", { name: "The event as it should be" });
  await editor.fill("{");
  await expect(letter.getByRole("button", { name: "Replace the event" })).toBeDisabled();
  await editor.fill('{"msg":"good"}');
  await letter.getByRole("button", { name: "Replace the event" }).click();
  await expect(page.getByText("The event is replaced")).toBeVisible();
  await letter.getByRole("button", { name: "Send it again" }).click();
  await expect(page.getByText("1 delivered, 0 refused again")).toBeVisible();
  await expect
    .poll(async () => (await server.get<{ total: number }>("/api/dead-letters")).total)
    .toBe(6);
});

test("all that match are sent again once the backend takes them", async ({ page }) => {
  backend.mood.poison = "";
  await page.goto(`${server.url}/dead-letters?lane=default`);
  await letters(page).getByRole("button", { name: "Send those that match again" }).click();
  await expect(page.getByText("Tried 6 letters: 6 delivered, 0 refused again.")).toBeVisible();
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(letters(page).locator("tbody tr")).toHaveCount(1);
});

test("they are exported as they came", async ({ page }) => {
  await page.goto(`${server.url}/dead-letters?lane=default`);
  const waiting = page.waitForEvent("download");
  await letters(page).getByRole("button", { name: "Export events" }).click();
  const saved = readFileSync(await (await waiting).path(), "utf8");
  expect(saved.trim().split("\n")).toHaveLength(6);
  expect(saved).toContain("12345678901234567890.50");
});

test("a purge needs the number of what it removes", async ({ page }) => {
  await page.goto(`${server.url}/dead-letters?lane=default`);
  await letters(page).getByRole("button", { name: "Purge …" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("This removes 6 of them");
  const remove = dialog.getByRole("button", { name: "Remove for good" });
  await expect(remove).toBeDisabled();
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await letters(page).getByRole("button", { name: "Purge …" }).click();
  await dialog.getByLabel("Type 6 to confirm").fill("7");
  await expect(remove).toBeDisabled();
  await dialog.getByLabel("Type 6 to confirm").fill("6");
  expect(await accessibility(page)).toEqual([]);
  await remove.click();
  await expect(page.getByText("Removed 6 letters for good.")).toBeVisible();
  await expect(page.getByText("No letter matches")).toBeVisible();
});

test("filters find nothing, and say so", async ({ page }) => {
  await page.goto(`${server.url}/dead-letters`);
  await page.getByLabel("Reason contains").fill("no such thing");
  await expect(page).toHaveURL(/reason=no/);
  await expect(letters(page)).toContainText("No letter matches");
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(letters(page).locator("tbody tr")).toHaveCount(7);
});
