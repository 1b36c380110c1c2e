/** Requests that wait for their answer, also across reconnects. */
import { type PostroadError, Unavailable } from "./errors.js";
import type { Header } from "./protocol/frame.js";
import type { Requests } from "./session/requests.js";

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Whether the request may be sent again when the connection is lost before its answer. */
  readonly repeat?: boolean;
  /** Whether the answer may take any time once the request is sent: `timeoutMs` bounds the wait for a connection only. */
  readonly isLong?: boolean;
}

interface Pending {
  readonly header: Header;
  readonly repeat: boolean;
  sent: boolean;
  fail(error: PostroadError): void;
  /** The request is sent. */
  begun(): void;
}

export class PendingRequests {
  readonly #requests: Requests;
  readonly #send: (header: Header) => boolean;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();

  /** @param send - sends a request if the connection is open, and says whether it is. */
  constructor(requests: Requests, send: (header: Header) => boolean, timeoutMs: number) {
    this.#requests = requests;
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  get ids(): Iterable<number> {
    return this.#pending.keys();
  }

  /** Sends a request now or as soon as the connection is open, and gives back the fields of its `ok`. */
  ask(
    header: Header,
    { signal, timeoutMs = this.#timeoutMs, repeat = true, isLong = false }: RequestOptions,
  ): Promise<Header> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const id = this.#requests.nextId();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#requests.forget(id);
        this.#pending.delete(id);
      };
      const fail = (error: PostroadError): void => {
        finish();
        reject(error);
      };
      const onAbort = (): void => {
        finish();
        reject(signal?.reason as Error);
      };
      const ok = ({ op: _op, id: _id, ...answer }: Header): void => {
        finish();
        resolve(answer);
      };
      const timer = setTimeout(
        () => fail(new Unavailable(`No answer to ${String(header["op"])} within ${timeoutMs} ms.`)),
        timeoutMs,
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#requests.expect(id, { ok, failed: fail });
      const request = { ...header, id };
      const pending: Pending = {
        header: request,
        repeat,
        sent: false,
        fail,
        begun: () => isLong && clearTimeout(timer),
      };
      this.#pending.set(id, pending);
      this.#begin(pending);
    });
  }

  opened(): void {
    for (const pending of this.#pending.values()) if (!pending.sent) this.#begin(pending);
  }

  #begin(pending: Pending): void {
    pending.sent = this.#send(pending.header);
    if (pending.sent) pending.begun();
  }

  lost(cause: PostroadError | undefined): void {
    for (const pending of [...this.#pending.values()]) {
      if (!pending.sent) continue;
      if (pending.repeat) pending.sent = false;
      else
        pending.fail(
          new Unavailable("The connection was lost before the answer; it may have been carried out.", { cause }),
        );
    }
  }

  end(error: PostroadError): void {
    for (const pending of [...this.#pending.values()]) pending.fail(error);
  }
}
