/** ffmpeg as an async function: it tells how far it is and what it does, and an aborted signal kills it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Job } from "./job.js";

export interface Listening {
  readonly signal: AbortSignal;
  readonly onProgress: (percent: number) => void;
  /** Each line that ffmpeg says. */
  readonly onLine: (line: string) => void;
}

/**
 * Makes a clip of ffmpeg's test picture.
 *
 * @returns its duration in milliseconds.
 * @throws AbortError when the signal fired, Error with ffmpeg's last words when it failed.
 */
export async function encode(
  { seconds, isLive }: Job,
  path: string,
  { signal, onProgress, onLine }: Listening,
): Promise<number> {
  const source = `testsrc=size=640x360:rate=30:duration=${seconds}`;
  const ffmpeg = spawn(
    "ffmpeg",
    [
      ...["-y", "-nostdin", "-hide_banner", "-nostats", "-stats_period", "0.2", "-progress", "pipe:1"],
      ...[...(isLive ? ["-re"] : []), "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", path],
    ],
    { signal, killSignal: "SIGKILL", stdio: ["ignore", "pipe", "pipe"] },
  );
  let durationMs = 0;
  let lastWords = "";
  createInterface({ input: ffmpeg.stderr }).on("line", (line) => {
    lastWords = `${lastWords}\n${line}`.slice(-200);
    onLine(line);
  });
  createInterface({ input: ffmpeg.stdout }).on("line", (line) => {
    // "out_time_us=1500000" among others, a few times a second; "N/A" before the first picture.
    const [name, value] = line.split("=");
    if (name !== "out_time_us" || !Number.isFinite(Number(value))) return;
    durationMs = Number(value) / 1_000;
    onProgress(Math.min(100, Math.floor(durationMs / seconds / 10)));
  });
  const [code] = await once(ffmpeg, "close"); // rejects on its "error" as well, which is how an abort shows
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${lastWords}`);
  return durationMs;
}
