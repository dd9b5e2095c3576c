#!/usr/bin/env node
// What does the dashboard cost, and how late is it? Bundle size as a browser transfers it, share of the
// main thread at four updates a second over 20 lanes, memory over time, and the time from an event's
// acknowledgement to the pixel that shows it. Writes bench/DASHBOARD.json and bench/DASHBOARD.md.
//
//     bench/dashboard.mjs [--parts bundle,cost,latency,memory] [--minutes 2] [--seconds 12]
//                         [--binary target/release/tidegate]
//
// A real server and a real Chromium; parts that are not asked for keep the figures they have.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const BENCH = dirname(fileURLToPath(import.meta.url));
const WEB = join(BENCH, "../web");
const { chromium } = createRequire(join(WEB, "package.json"))("@playwright/test");

const { values: args } = parseArgs({
  options: {
    parts: { type: "string", default: "bundle,cost,latency,memory" },
    minutes: { type: "string", default: "2" },
    seconds: { type: "string", default: "12" },
    binary: { type: "string", default: join(BENCH, "../target/release/tidegate") },
  },
});
const parts = new Set(args.parts.split(","));
const VIEWS = [
  ["rows", "/?range=2m&lanes=rows"],
  ["rows, 1 h", "/?range=1h&lanes=rows"],
  ["panels", "/?range=2m&lanes=panels"],
  ["lane", "/lanes/sink1/default?range=2m"],
  ["resources", "/resources?range=2m"],
];
const LANES = 20;
const COST_SECONDS = Number(args.seconds);
const LATENCY_ROUNDS = 20;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

async function main() {
  const file = join(BENCH, "DASHBOARD.json");
  const figures = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  figures.machine = { cores: cpus().length, model: cpus()[0]?.model ?? "", chromium: browser.version() };
  try {
    if (parts.has("bundle")) figures.bundle = await withServer(1, (server) => bundle(browser, server));
    if (parts.has("latency")) figures.latency = await withServer(1, (server) => latency(browser, server));
    if (parts.has("cost")) figures.cost = await withServer(LANES, (server) => cost(browser, server));
    if (parts.has("memory")) figures.memory = await withServer(LANES, (server) => memory(browser, server));
  } finally {
    await browser.close();
  }
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
  writeFileSync(join(BENCH, "DASHBOARD.md"), page(figures));
}

/** A server with so many lanes, and load on all of them that changes their plans now and then. */
async function withServer(lanes, use) {
  const dir = mkdtempSync(join(tmpdir(), "tidegate-bench-"));
  // A server takes at most 16 sinks: more lanes than one are two a sink, for a class and for the rest.
  const sinks = Array.from({ length: Math.ceil(lanes / 2) }, (_, at) =>
    `  sink${at + 1}: { type: file, fsync: false, target: 5 ms, batch_size: { initial: 20, max: 2000 }, controller: aimd }`);
  writeFileSync(join(dir, "tidegate.yaml"), `${lanes > 1 ? "classes: { audit: {} }\n" : ""}sinks:\n${sinks.join("\n")}\n`);
  const child = spawn(args.binary, ["serve", "--config", join(dir, "tidegate.yaml"), "--data-dir", join(dir, "data"),
    "--listen", "127.0.0.1:0", "--log-format", "json"], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const address = await new Promise((found, failed) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        const address = /"address":"([^"]+)"/.exec(line)?.[1];
        if (address && line.includes("taking events")) found(address);
      });
      child.once("exit", () => failed(new Error("the server ended")));
    });
    return await use(`http://${address}`);
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Posts events at a rate until it is stopped. */
function load(server, rate) {
  let running = true;
  const batch = 50;
  const done = (async () => {
    const body = Array.from({ length: batch }, (_, at) => `{"level":"info","msg":"order ${at} paid"${at % 2 ? ",\"class\":\"audit\"" : ""}}`).join("\n");
    while (running) {
      const began = performance.now();
      const headers = { "content-type": "application/x-ndjson" };
      await (await fetch(`${server}/v1/events`, { method: "POST", headers, body })).text();
      const pause = (batch / rate) * 1000 - (performance.now() - began);
      if (pause > 0) await after(pause);
    }
  })();
  return async () => {
    running = false;
    await done;
  };
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function open(browser, address) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  return { context, page, session, go: () => page.goto(address) };
}

const isLive = (page) => page.waitForFunction(() => document.querySelector(".connection")?.textContent === "Live");

async function bundle(browser, server) {
  const { context, page, session, go } = await open(browser, server);
  const urls = new Map();
  const transferred = {};
  await session.send("Network.enable");
  session.on("Network.requestWillBeSent", ({ requestId, request }) => urls.set(requestId, new URL(request.url).pathname));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const path = urls.get(requestId);
    if (path && !path.startsWith("/api/")) transferred[path] = encodedDataLength;
  });
  await go();
  await isLive(page);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  await page.waitForLoadState("load");
  await context.close();
  const files = [];
  for (const [path, got] of Object.entries(transferred)) {
    // What the server has, and not what lies in web/dist: it is the one that is measured.
    const plain = Buffer.from(await (await fetch(server + path, { headers: { accept: "text/html, */*" } })).arrayBuffer());
    files.push({ path, bytes: plain.length, gzip: gzipSync(plain, { level: 9 }).length, transferred: got });
  }
  const sum = Object.values(transferred).reduce((total, bytes) => total + bytes, 0);
  return { files, transferred_bytes: sum };
}

/** The share of a core that the main thread uses while the page is updated four times a second. */
async function cost(browser, server) {
  const stop = load(server, 2000);
  const found = {};
  try {
    for (const [name, path] of VIEWS) {
      const { context, page, session, go } = await open(browser, server + path);
      await go();
      await isLive(page);
      await session.send("Performance.enable");
      // What is loaded and drawn first is not what is measured.
      await after(4000);
      const before = await metrics(session);
      await after(COST_SECONDS * 1000);
      const now = await metrics(session);
      const wall = now.Timestamp - before.Timestamp;
      const share = (key) => (now[key] - before[key]) / wall;
      found[name] = {
        seconds: wall,
        // Time of the processor, and not of the clock: who else runs on the machine does not count.
        main_thread_share: share("ThreadTime"),
        busy_share: share("TaskDuration"),
        script_share: share("ScriptDuration"),
        layout_share: share("LayoutDuration") + share("RecalcStyleDuration"),
        canvases: await page.locator("canvas").count(),
      };
      console.log(`${name}: ${percent(found[name].main_thread_share)} of a core, ${percent(found[name].busy_share)} in a task`);
      await context.close();
    }
  } finally {
    await stop();
  }
  return { lanes: LANES, updates_per_second: 4, views: found };
}

async function metrics(session) {
  const { metrics: all } = await session.send("Performance.getMetrics");
  return Object.fromEntries(all.map(({ name, value }) => [name, value]));
}

/** From the acknowledgement of an event, after silence, to the frame in which the page shows it. */
async function latency(browser, server) {
  const { context, page, go } = await open(browser, server);
  await go();
  await isLive(page);
  const times = [];
  for (let round = 0; round < LATENCY_ROUNDS; round += 1) {
    await page.waitForFunction(() => document.querySelector(".stat .main")?.textContent === "0 /s");
    times.push(await page.evaluate(shownAfter));
  }
  await context.close();
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  return { rounds: times.length, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: times.at(-1) };
}

/** Runs in the page: posts one event, and says how long after the answer a frame shows it. */
async function shownAfter() {
  const main = document.querySelector(".stat .main");
  if (!main) throw new Error("no figure");
  // At a random moment between two updates.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
  const before = main.textContent;
  const shown = new Promise((resolve) => {
    const look = () => {
      // The frame after the one that has the change has painted it.
      if (main.textContent !== before) requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
      else requestAnimationFrame(look);
    };
    look();
  });
  const headers = { "content-type": "application/json" };
  await (await fetch("/v1/events", { method: "POST", headers, body: '{"msg":"one"}' })).text();
  const acknowledged = performance.now();
  return (await shown) - acknowledged;
}

/** What the page holds after garbage is collected, minute by minute. */
async function memory(browser, server) {
  const minutes = Number(args.minutes);
  const stop = load(server, 1000);
  const { context, page, session, go } = await open(browser, `${server}/?lanes=rows`);
  const samples = [];
  try {
    await go();
    await isLive(page);
    await session.send("HeapProfiler.enable");
    const began = Date.now();
    while (Date.now() - began <= minutes * 60_000 + 500) {
      await session.send("HeapProfiler.collectGarbage");
      const { usedSize, embedderHeapUsedSize = 0 } = await session.send("Runtime.getHeapUsage");
      const { nodes } = await session.send("Memory.getDOMCounters");
      samples.push({ minute: (Date.now() - began) / 60_000, heap_bytes: usedSize + embedderHeapUsedSize, nodes });
      await after(Math.min(60_000, minutes * 10_000));
    }
  } finally {
    await context.close();
    await stop();
  }
  return { minutes, lanes: LANES, samples };
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const percent = (share) => `${(share * 100).toFixed(1)} %`;

function page({ machine, bundle, cost, latency, memory }) {
  const text = [
    "# What the dashboard costs\n",
    `Written by \`bench/dashboard.mjs\`: a real server, Chromium ${machine.chromium} without a GPU, on ${machine.cores} cores`,
    `(${machine.model}) that both share.\n`,
  ];
  if (bundle) {
    text.push("## First load\n", `A browser that has nothing transfers **${kib(bundle.transferred_bytes)}** (bound: 200 kB), headers included.\n`);
    text.push("| file | plain | gzip | transferred |", "| --- | ---: | ---: | ---: |");
    for (const { path, bytes, gzip, transferred } of bundle.files) {
      text.push(`| \`${path}\` | ${kib(bytes)} | ${kib(gzip)} | ${kib(transferred)} |`);
    }
    text.push("");
  }
  if (cost) {
    text.push(`## Updates: ${cost.lanes} lanes, ${cost.updates_per_second} a second\n`, "Share of one core that the main thread uses (bound: 20 %), and, by the clock, how long it is in a task, waiting for a core included.\n");
    text.push("| view | main thread | in a task | of it script | style and layout | strips on the page |", "| --- | ---: | ---: | ---: | ---: | ---: |");
    for (const [name, view] of Object.entries(cost.views)) {
      text.push(`| ${name} | ${percent(view.main_thread_share)} | ${percent(view.busy_share)} | ${percent(view.script_share)} | ${percent(view.layout_share)} | ${view.canvases} |`);
    }
    text.push("");
  }
  if (latency) {
    text.push("## From event to pixel\n");
    text.push(`One event after silence, from its acknowledgement (durable) to the painted frame that shows it, ${latency.rounds} times:`);
    text.push(`median ${latency.p50_ms.toFixed(0)} ms, p95 ${latency.p95_ms.toFixed(0)} ms, longest ${latency.max_ms.toFixed(0)} ms (bound: 500 ms).\n`);
  }
  if (memory) {
    const { samples } = memory;
    const picked = samples.filter((_, at) => at % Math.max(1, Math.floor(samples.length / 10)) === 0 || at === samples.length - 1);
    text.push(`## Memory over ${memory.minutes} minutes, ${memory.lanes} lanes\n`, "JavaScript heap after a collection.\n");
    text.push("| minute | heap | DOM nodes |", "| ---: | ---: | ---: |");
    for (const { minute, heap_bytes, nodes } of picked) text.push(`| ${minute.toFixed(1)} | ${mib(heap_bytes)} | ${nodes.toLocaleString("en-GB")} |`);
    text.push("");
  }
  return `${text.join("\n").trimEnd()}\n`;
}

await main();
