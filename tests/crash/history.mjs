/** What a client did and saw, one JSON object a line, with the machine's monotonic time. */
import { closeSync, openSync, writeSync } from "node:fs";
import { transport } from "../../node-client/dist/transport/node.js";

export const now = () => Number(process.hrtime.bigint()) / 1e6;

export const tell = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

export class History {
  #file;
  #lines = [];
  #timer;

  constructor(path) {
    this.#file = openSync(path, "a");
    this.#timer = setInterval(() => this.#write(), 100);
  }

  note(event, fields) {
    this.#lines.push(JSON.stringify({ e: event, t: now(), ...fields }));
  }

  #write() {
    if (this.#lines.length > 0) writeSync(this.#file, `${this.#lines.splice(0).join("\n")}\n`);
  }

  close() {
    clearInterval(this.#timer);
    this.#write();
    closeSync(this.#file);
  }
}

/** The messages of a binary `deliver` frame, read by docs/protocol.md §5 alone, without the client's code. */
function* deliveries(header, data) {
  let offset = 4 + data.readUInt32BE(0);
  let index = 0;
  for (const [sequence, count, prefix, first] of header.runs) {
    for (let k = 0; k < count; k++, index++) {
      const body = JSON.parse(data.toString("utf8", offset, (offset += header.sizes[index])));
      yield { id: `${prefix}${first + k}`, k: body.k, o: body.key, n: header.number + index, s: sequence + k, a: header.attempts?.[index] ?? header.attempt ?? 1 };
    }
  }
}

/** The client's own transport, noting each delivery when its frame arrives: its handler may begin long after that. */
export const noting = (history) => {
  const queues = new Map();
  return (url, subprotocol, events) => {
    const connection = transport(url, subprotocol, {
      opened: () => events.opened(),
      alive: () => events.alive(),
      closed: (code, reason, cause) => events.closed(code, reason, cause),
      message: (data) => {
        if (typeof data !== "string") {
          const header = JSON.parse(data.toString("utf8", 4, 4 + data.readUInt32BE(0)));
          if (header.op === "deliver") for (const one of deliveries(header, data)) history.note("arrive", { q: queues.get(header.sub), ...one });
        }
        events.message(data);
      },
    });
    return {
      ...connection,
      send: (data) => {
        const header = typeof data === "string" ? JSON.parse(data) : undefined;
        if (header?.op === "consume") queues.set(header.sub, header.queue ?? `${header.stream}/${header.group}`);
        connection.send(data);
      },
    };
  };
};
