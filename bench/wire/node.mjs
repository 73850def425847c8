// Times LiveKit's own JS protobuf: `node bench/wire/node.mjs < frames.json`, where the frames are
// an object of base64 by name. Prints the seconds that reading each takes, as JSON: the least of
// several rounds, as everywhere here.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../.browser/package.json", import.meta.url));
const { SignalResponse } = require("@livekit/protocol");

const ROUNDS = 12;
const ROUND = 20e6; // nanoseconds

function seconds(frame) {
  let times = 1;
  for (;;) {
    const begun = process.hrtime.bigint();
    for (let i = 0; i < times; i += 1) SignalResponse.fromBinary(frame);
    const took = Number(process.hrtime.bigint() - begun);
    if (took > ROUND) break;
    times *= 2;
  }
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = process.hrtime.bigint();
    for (let i = 0; i < times; i += 1) SignalResponse.fromBinary(frame);
    least = Math.min(least, Number(process.hrtime.bigint() - begun) / times / 1e9);
  }
  return least;
}

const frames = JSON.parse(readFileSync(0, "utf8"));
const result = {};
for (const [name, base64] of Object.entries(frames)) {
  result[name] = seconds(new Uint8Array(Buffer.from(base64, "base64")));
}
process.stdout.write(JSON.stringify(result));
