// Takes the pictures of docs/dashboard.md: the demo's own load and neighbour, watched by a real browser.
// Not a test: `npm run walk`, with an optimized binary, remakes the pictures in about a minute.
//
//     TIDEGATE_BIN=../target/release/tidegate npm run walk

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "@playwright/test";

const BINARY = process.env.TIDEGATE_BIN ?? "../target/release/tidegate";
const OUT = "../docs/dashboard";
/** When a picture is taken, in seconds of the demo: its neighbour comes at 10 and goes at 17. */
const MOMENTS = [
  ["before", 9],
  ["neighbour", 15],
  ["after", 24],
];

mkdirSync(OUT, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
  ],
});
const page = await browser.newPage({ viewport: { width: 1440, height: 860 }, timezoneId: "UTC" });
const demo = spawn(
  BINARY,
  [
    "demo",
    "--no-compare",
    "--keep",
    "--rate",
    process.env.RATE ?? "50k",
    "--events",
    process.env.EVENTS ?? "1300k",
  ],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
// It waits for nobody, so it ends with this, whatever happens.
process.once("exit", () => demo.kill("SIGINT"));
const left = [...MOMENTS];
let url = null;
for await (const line of createInterface({ input: demo.stdout })) {
  const seconds = Number(/^\s*([\d.]+) s /.exec(line)?.[1]);
  if (url === null) {
    url = /http:\S+(?=\/ )/.exec(line)?.[0] ?? null;
    if (url) await page.goto(`${url}/?range=2m`);
  }
  if (left[0] && seconds >= left[0][1]) {
    await page.screenshot({ path: `${OUT}/${left.shift()[0]}.png` });
  }
  if (left.length === 0) break;
}
await page.emulateMedia({ colorScheme: "dark" });
await page.goto(`${url}/lanes/sqlite/default?range=2m`);
await page.locator(".sentences tbody tr").first().waitFor();
await page.setViewportSize({ width: 1440, height: 1180 });
await page.screenshot({ path: `${OUT}/lane.png` });
await browser.close();
demo.kill("SIGINT");
await new Promise((resolve) => demo.once("exit", resolve));
