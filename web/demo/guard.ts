/**
 * Ends the demo's processes when the supervisor dies without doing it (`kill -9`, a crashed terminal).
 *
 * It reads lines `+pid` and `-pid`; when its input ends, what is still on the list is terminated.
 */
import { createInterface } from "node:readline";

const pids = new Set<number>();
process.on("SIGINT", () => {});
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const pid = Number(line.slice(1));
    if (!Number.isInteger(pid) || pid <= 1) return;
    if (line.startsWith("+")) pids.add(pid);
    else pids.delete(pid);
  })
  .on("close", () => {
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGTERM");
      } catch {
        // It has ended by itself.
      }
    }
  });
