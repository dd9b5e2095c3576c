// A server with a token: nothing is told without it, and it never leaves the tab.

import { accessibility, expect, live, test } from "./fixtures";
import { Server } from "./server";

test("a token is asked for, checked, kept for the tab and sent in a header only", async ({
  page,
  watched,
}) => {
  watched.allowed.push(/401 \(Unauthorized\)/);
  const server = new Server(
    "http: { token: open-sesame-0123456789 }\nsinks: { hole: { type: blackhole } }\n",
  );
  await server.start();
  try {
    const addresses: string[] = [];
    page.on("request", (request) => addresses.push(request.url()));
    await page.goto(server.url);
    const field = page.getByLabel("Token", { exact: true });
    await expect(field).toBeVisible();
    expect(await accessibility(page)).toEqual([]);
    await field.fill("wrong-wrong-wrong-wrong");
    await page.getByRole("button", { name: "Go on" }).click();
    await expect(page.getByRole("alert")).toContainText("refused");
    await field.fill("open-sesame-0123456789");
    await page.keyboard.press("Enter");
    await live(page);
    await page.reload();
    await live(page);
    await page.goto(`${server.url}/settings`);
    await expect(page.getByRole("row", { name: /http\.token/ })).not.toContainText("open-sesame");
    expect(addresses.filter((address) => address.includes("sesame"))).toEqual([]);
    expect(await page.context().cookies()).toEqual([]);
  } finally {
    await page.close();
    await server.dispose();
  }
});
