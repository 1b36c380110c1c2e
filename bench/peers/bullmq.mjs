/** BullMQ: `addBulk` of 500, two of them in flight; a worker with concurrency 100; finished jobs are removed. */
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { windowed } from "../node/window.mjs";

const BULK = 500;
const BULKS_IN_FLIGHT = 2;
const CONCURRENCY = 100;

export const open = async ({ url, queue }) => {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const jobs = new Queue(queue, { connection, defaultJobOptions: { removeOnComplete: true } });
  await jobs.waitUntilReady();
  const post = (body, done) => jobs.add("job", body).then(() => done(), done);
  return {
    prepare: async () => {},
    ...windowed(post, BULK),
    async pump(body, count) {
      const adding = new Set();
      for (let n = 0; n < count; ) {
        const bulk = [];
        for (; bulk.length < BULK && n < count; n++) bulk.push({ name: "job", data: body(n) });
        const added = jobs.addBulk(bulk).then(() => adding.delete(added));
        adding.add(added);
        if (adding.size >= BULKS_IN_FLIGHT) await Promise.race(adding);
      }
      await Promise.all(adding);
    },
    async consume(handler) {
      const worker = new Worker(queue, async (job) => handler(job.data), { connection, concurrency: CONCURRENCY });
      worker.on("error", (error) => console.error(error));
      await worker.waitUntilReady();
      return () => worker.close(); // waits for the jobs that run, so for their completion in Redis
    },
    remove: () => jobs.obliterate({ force: true }),
    async close() {
      await jobs.close();
      connection.disconnect();
    },
  };
};
