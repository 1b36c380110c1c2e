/** Shared by the benchmark's programs: the body, the clock, a line to the driver. */
import { connect } from "postroad";

export const [url, queue, mode, count] = [process.argv[2], process.argv[3], process.argv[4], Number(process.argv[5])];

/** 100 bytes as JSON; the number keeps its width, and is the time in µs where latency is measured. */
export const body = (n) => ({ to: "someone@example.com", n: 1e15 + n, text: "x".repeat(41) });
export const numberOf = ({ n }) => n - 1e15;

export const nowUs = () => Number(process.hrtime.bigint() / 1_000n);
export const tell = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
export const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

export const open = async (name) => {
  const client = connect(url, { name });
  await client.ready();
  return client;
};

/** A few words about many numbers of µs. */
export const spread = (values) => {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
};
