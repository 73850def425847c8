// Drives Chromium for the tests, in the way of tests/interop/processes.py: commands come in and
// events go out, a JSON a line. The first answer, "start", is to its own start; a command that fails
// is answered too, with why in "failed". It ends when its input does.
//
// Usage: node driver.mjs FOLDER CHROMIUM
// FOLDER is where `make browser` installed what is imported below.

import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/package.json`)("playwright-core");

const HOST = "127.0.0.1";
const WITHIN = 15_000;  // ms for anything that the page does; the tests wait a little longer
const HERE = import.meta.dirname;
const CLIENT = `${folder}/node_modules/livekit-client/dist/livekit-client.umd.js`;
const FILES = new Map([
  ["/", [`${HERE}/page.html`, "text/html"]],
  ["/page.js", [`${HERE}/page.js`, "text/javascript"]],
  ["/recorder.js", [`${HERE}/recorder.js`, "text/javascript"]],
  ["/livekit-client.js", [CLIENT, "text/javascript"]],
]);

const SWITCHES = [
  // A camera and a microphone that are made up, for whoever asks.
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--no-sandbox",
  "--disable-gpu",
  // Nothing but loopback, also for media: no name is resolved, and Chromium does nothing on its own.
  `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${HOST}`,
  "--allow-loopback-in-peer-connection",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

async function serve() {
  const server = createServer(async ({ url }, response) => {
    const [path, type] = FILES.get(url) ?? [];
    response.writeHead(path ? 200 : 404, { "Content-Type": type ?? "text/plain" });
    response.end(path ? await readFile(path) : "");
  });
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  return server;
}

// What the page says goes to our stderr, what goes wrong in it is an event.
function listen(page) {
  page.on("console", (message) => console.error(`page: ${message.text()}`));
  page.on("pageerror", (error) => say("page_error", { text: String(error) }));
  page.on("request", (request) => told(request.url()));
  page.on("websocket", (socket) => told(socket.url()));
}

function told(url) {
  const { protocol, hostname } = new URL(url);
  const inside = hostname === HOST || ["data:", "blob:"].includes(protocol);
  if (!inside) say("page_error", { text: `it asked for something of ${hostname}` });
}

// Calls a function of page.js, which must not keep the commands after it waiting for ever.
async function call(page, { do: name, ...order }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took over ${WITHIN} ms`)), WITHIN);
  });
  const answer = page.evaluate(([name, order]) => globalThis[name](order), [name, order]);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

let page;

async function carryOut(browser, address, order) {
  switch (order.do) {
    case "join": {
      const context = await browser.newContext({ viewport: { width: 640, height: 480 } });
      page = await context.newPage();
      listen(page);
      await page.goto(address);
      return await call(page, order);
    }
    case "see":
    case "hear": {
      const { data, ...facts } = await call(page, order);
      await writeFile(order.into, Buffer.from(data, "base64"));
      return facts;
    }
    case "screenshot": {
      await page.screenshot({ path: order.into });
      return await page.locator("#theirs").boundingBox();
    }
    case "leave": {
      try {
        return await call(page, order);
      } finally {
        await page.context().close();
      }
    }
    default:
      throw new Error(`no such command: ${order.do}`);
  }
}

const server = await serve();
const browser = await chromium.launch({ executablePath, args: SWITCHES });
const system = await browser.newBrowserCDPSession();
const { processInfo } = await system.send("SystemInfo.getProcessInfo");
const { id } = processInfo.find(({ type }) => type === "browser");
say("done", { do: "start", pid: id });

const address = `http://${HOST}:${server.address().port}/`;
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  try {
    say("done", { do: order.do, ...(await carryOut(browser, address, order)) });
  } catch (error) {
    say("done", { do: order.do, failed: String(error) });
  }
}
await browser.close();
server.close();
