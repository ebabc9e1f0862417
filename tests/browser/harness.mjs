// What the tests share: the real examples on free ports, a browser whose every request and complaint is written down.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { chromium } from "playwright-core";

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until `ask` gives something true; fails with `what` and the last answer. */
export async function until(what, ask, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  let answer, error;
  do {
    try {
      answer = await ask();
      if (answer) return answer;
    } catch (caught) {
      error = caught;
    }
    await sleep(50);
  } while (Date.now() < end);
  throw new Error(`expected within ${seconds} s: ${what}; got ${error ?? JSON.stringify(answer)}`);
}

const running = new Set();

/** Starts an example and waits until it answers at `probe`. */
async function start(program, port, probe, options) {
  const child = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  let said = "";
  child.stderr.on("data", (data) => (said = (said + data).slice(-4000)));
  child.once("exit", () => running.delete(child));
  const origin = `http://127.0.0.1:${port}`;
  await until(`${program} ${options.join(" ")} answers`, async () => {
    if (child.exitCode !== null) throw new Error(`it left with ${child.exitCode}: ${said}`);
    return (await fetch(`${origin}${probe}`)).ok;
  });
  return {
    origin,
    signal: (signal) => child.kill(signal),
    async stop(signal = "SIGKILL") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, "exit");
    },
  };
}

const example = (name) => `${process.env.NEURAFLOW_EXAMPLES}/${name}`;
export const live = (port, ...options) => start(example("live"), port, "/sessions", ["--listen", `127.0.0.1:${port}`, ...options]);
export const dashboard = (port) => start(example("dashboard"), port, "/brain/sessions", [`127.0.0.1:${port}`]);

export const stopAll = () => running.forEach((child) => child.kill("SIGKILL"));

let browser;
export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return browser;
}

/** A page with what went wrong on it: complaints, and requests to any other place. */
export async function open(origin, path = "", { width = 1440, height = 900, colorScheme = "light", deviceScaleFactor = 1, reducedMotion = "no-preference" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, deviceScaleFactor, reducedMotion });
  const page = await context.newPage(), complaints = [], strangers = [], expected = { outage: false };
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    if (!["error", "warning"].includes(message.type())) return;
    // A browser reports a refused connection itself; a page cannot prevent that while its server is away.
    if (expected.outage && /ERR_CONNECTION_|WebSocket connection/.test(message.text())) return;
    complaints.push(message.text());
  });
  const foreign = (url) => new URL(url).host !== new URL(origin).host && strangers.push(url);
  page.on("request", (request) => foreign(request.url()));
  page.on("websocket", (socket) => foreign(socket.url()));
  await page.goto(`${origin}/${path}`);
  const data = () => page.evaluate(() => ({ ...document.documentElement.dataset }));
  return {
    page, complaints, strangers, expected, data,
    text: (selector) => page.locator(selector).innerText(),
    state: (wanted, seconds) => until(`state ${wanted}`, async () => (await data()).state === wanted, seconds),
    close: () => context.close(),
  };
}

/** Width, height, number of colours and a checksum of a canvas. */
export const canvas = (page, id) =>
  page.evaluate((id) => {
    const element = document.getElementById(id), { width, height } = element;
    // Read from a copy, so that looking at the page's canvas does not make it a slow one.
    const copy = (window.copyForTests ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
    Object.assign(copy.canvas, { width, height });
    copy.drawImage(element, 0, 0);
    const pixels = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
    let sum = 0;
    for (const pixel of pixels) sum = (Math.imul(sum, 31) + pixel) | 0;
    return { width, height, colours: new Set(pixels).size, sum };
  }, id);
