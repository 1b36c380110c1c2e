/** Takes one job after another. Its progress is shown to whoever watches the message; its result is stored with the ack. */
import { mkdir, rename, rm } from "node:fs/promises";
import { DATA, joinAs } from "../shared/process.js";
import { encode } from "./ffmpeg.js";
import { type Video, videos } from "./job.js";

const mq = joinAs("video-worker");
const queue = mq.queue(videos);
await queue.declare();
await mkdir(DATA, { recursive: true });

queue.consume(
  async (m) => {
    // The attempt is part of the name: another worker may still write, if it lost its lease and was not told yet.
    const part = `${DATA}/${m.id}.${m.attempt}.part.mp4`;
    const path = `${m.id}.mp4`;
    try {
      const durationMs = await encode(m.body, part, {
        signal: m.signal, // fires on mq.cancel(id), and when the lease is lost
        onProgress: (percent) => void m.progress(percent, "encoding"),
        onLine: (line) => m.log(line), // what ffmpeg says: seen under the job, and in the console
      });
      await rename(part, `${DATA}/${path}`);
      return { path, durationMs } satisfies Video;
    } finally {
      await rm(part, { force: true });
    }
  },
  { name: `video-worker-${process.pid}` },
);
