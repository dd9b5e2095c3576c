// Takes the pictures of docs/dashboard.md: the demo's own load and neighbour, watched by a real browser.
// Not a test: `npm run walk`, with an optimized binary, remakes the pictures in about a minute.
//
//     TIDEGATE_BIN=../target/release/tidegate npm run walk

import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
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

/** The server that the demo has started, and where it listens: the demo says so only at its end. */
function addressOf(demo) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) !== demo) continue;
      const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`),
      );
      for (const line of readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1)) {
        const fields = line.trim().split(/\s+/);
        const isListening = fields[3] === "0A" && inodes.includes(`socket:[${fields[9]}]`);
        if (isListening) return `http://127.0.0.1:${Number.parseInt(fields[1].split(":")[1], 16)}`;
      }
    } catch {
      // A process that has ended meanwhile, or is not ours.
    }
  }
  return null;
}

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
  ["demo", "--no-compare", "--keep", "--rate", process.env.RATE ?? "50k"],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const left = [...MOMENTS];
let url = null;
for await (const line of createInterface({ input: demo.stdout })) {
  const seconds = Number(/^\s*([\d.]+) s /.exec(line)?.[1]);
  if (url === null) {
    url = addressOf(demo.pid);
    if (url) await page.goto(`${url}/?range=2m`);
  }
  if (left[0] && seconds >= left[0][1]) {
    await page.screenshot({ path: `${OUT}/${left.shift()[0]}.png` });
  }
  if (left.length === 0) break;
}
await page.emulateMedia({ colorScheme: "dark" });
await page.goto(`${url}/lanes/sqlite/default?range=2m`);
await page.locator(".decisions tbody tr").first().waitFor();
await page.setViewportSize({ width: 1440, height: 1180 });
await page.screenshot({ path: `${OUT}/lane.png` });
await browser.close();
demo.kill("SIGINT");
await new Promise((resolve) => demo.once("exit", resolve));
