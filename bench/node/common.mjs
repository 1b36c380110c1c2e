/** Shared by the benchmark's programs: what they are to do, the body, the clock, a line to the driver, the words from it. */
import { createInterface } from "node:readline";

/**
 * What the driver asks for, one JSON object on the command line: `system`, `url`, `queue`, `mode`, `count`, `bytes`, `rate`, and what
 * else a mode knows.
 */
export const task = JSON.parse(process.argv[2]);

/** Shortest body: everything but the padding. */
const BARE = JSON.stringify({ to: "someone@example.com", n: 1e15, text: "" }).length;
const padding = "x".repeat(Math.max(0, (task.bytes ?? 100) - BARE));

/** A JSON body of `task.bytes` bytes; the number keeps its width, and is the time in µs where latency is measured. */
export const body = (n) => ({ to: "someone@example.com", n: 1e15 + n, text: padding });
export const numberOf = ({ n }) => n - 1e15;

export const nowUs = () => Number(process.hrtime.bigint() / 1_000n);
export const tell = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
export const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export const nextWord = async () => (await words.next()).value;

/** The module of a system: ours is beside this file, the others have a package of their own with their dependencies. */
export const openSystem = async (role) => {
  const path = task.system === "postroad" ? "./postroad.mjs" : `../peers/${task.system}.mjs`;
  return (await import(path)).open({ ...task, role });
};

/** After `done`: the driver says `remove` (the queue and what is in it) or `end`. */
export const finish = async (system) => {
  if ((await nextWord()) === "remove") await system.remove();
  tell("removed");
  await system.close();
  process.exit(0);
};

/** A few words about many numbers of µs. */
export const spread = (values) => {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
};
