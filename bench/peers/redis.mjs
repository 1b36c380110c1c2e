/** Redis Streams: XADD by automatic pipelining, 2,000 in flight; XREADGROUP of 500, the next one on its way while one is handled, one XACK a batch. */
import { Redis } from "ioredis";
import { windowed } from "../node/window.mjs";

const IN_FLIGHT = 2_000;
const COUNT = 500;
const BLOCK_MS = 200;
const GROUP = "workers";

export const open = async ({ url, queue, role }) => {
  const redis = new Redis(url, { enableAutoPipelining: role === "producer" });
  const post = (body, done) => redis.xadd(queue, "*", "b", JSON.stringify(body)).then(() => done(), done);
  return {
    async prepare() {
      await redis.xgroup("CREATE", queue, GROUP, "0", "MKSTREAM").catch((error) => {
        if (!String(error).includes("BUSYGROUP")) throw error;
      });
    },
    ...windowed(post, IN_FLIGHT),
    async consume(handler) {
      let isOver = false;
      const acks = redis.duplicate(); // on its own connection: the other one is blocked while a read waits
      const next = () => redis.xreadgroup("GROUP", GROUP, role, "COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", queue, ">");
      const loop = async () => {
        let reading = next();
        while (!isOver) {
          const entries = (await reading)?.[0]?.[1] ?? [];
          reading = next();
          const ids = entries.map(([id, [, body]]) => {
            handler(JSON.parse(body));
            return id;
          });
          if (ids.length > 0) acks.xack(queue, GROUP, ...ids).catch(crash);
        }
        await reading;
      };
      loop().catch(crash);
      return async () => {
        isOver = true;
        await acks.quit(); // answered after the last XACK
      };
    },
    remove: () => redis.del(queue),
    close: () => redis.quit(),
  };
};

const crash = (error) => {
  console.error(error);
  process.exit(1);
};
