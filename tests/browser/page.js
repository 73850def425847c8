// A participant by LiveKit's JS client. driver.mjs calls the functions below by their names.

// On a slow machine Chromium would make its pictures smaller.
const room = new LivekitClient.Room({
  // Without DTX, which sends next to nothing while its microphone is silent, all samples can be counted.
  publishDefaults: { degradationPreference: "maintain-resolution", dtx: false },
});
const tracks = new Map();

// A track of somebody else's, as soon as we are subscribed to it.
function track(sid) {
  if (!tracks.has(sid)) tracks.set(sid, Promise.withResolvers());
  return tracks.get(sid);
}

room.on("trackSubscribed", (subscribed, publication) => {
  track(publication.trackSid).resolve(subscribed);
  // Without an element that plays it, Chromium decodes no sound.
  if (subscribed.kind === "audio") document.body.append(subscribed.attach());
  else subscribed.attach(document.querySelector("#theirs"));
});

async function join({ url, token, width, height }) {
  await room.connect(url, token);
  const us = room.localParticipant;
  const microphone = await us.setMicrophoneEnabled(true);
  const camera = await us.setCameraEnabled(true, { resolution: { width, height, frameRate: 20 } });
  camera.track.attach(document.querySelector("#ours"));
  return { audio: microphone.trackSid, video: camera.trackSid };
}

// So many pictures of a track as the page shows them, one behind the other, four bytes a pixel.
async function see({ sid, count }) {
  await track(sid).promise;
  const video = document.querySelector("#theirs");
  const shown = () => new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  await shown();
  const [width, height] = [video.videoWidth, video.videoHeight];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = new Uint8Array(count * width * height * 4);
  const begun = performance.now();
  for (let each = 0; each < count; each++) {
    await shown();
    context.drawImage(video, 0, 0, width, height);
    pixels.set(context.getImageData(0, 0, width, height).data, each * width * height * 4);
  }
  return { width, height, seconds: (performance.now() - begun) / 1000, data: base64(pixels) };
}

// So many seconds of a track's sound from where it begins, as 16 bits at `rate`.
async function hear({ sid, seconds, rate }) {
  const { mediaStreamTrack } = await track(sid).promise;
  const context = new AudioContext({ sampleRate: rate });
  await context.audioWorklet.addModule("recorder.js");
  const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  context.createMediaStreamSource(new MediaStream([mediaStreamTrack])).connect(recorder);
  const sound = new Int16Array(Math.round(seconds * rate));
  await new Promise((resolve) => {
    let filled = 0;
    recorder.port.onmessage = ({ data: block }) => {
      if (filled === 0 && block.every((sample) => sample === 0)) return;
      for (const sample of block) sound[filled++] = sample * 32767;
      if (filled >= sound.length) resolve();
    };
  });
  await context.close();
  return { data: base64(new Uint8Array(sound.buffer)) };
}

async function leave() {
  await room.disconnect();
  return {};
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
