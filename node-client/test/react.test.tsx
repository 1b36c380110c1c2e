// @vitest-environment happy-dom
import { act, cleanup, render, renderHook, waitFor } from "@testing-library/react";
import { createElement, type ReactNode, StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, describe, expect, it } from "vitest";
import type { Client } from "../src/index.js";
import {
  PostroadProvider,
  useClient,
  useConnection,
  useEvents,
  useMessage,
  usePublish,
  useQueue,
  useQueues,
} from "../src/react/index.js";
import { client, FakeGateway } from "./support.js";

afterEach(cleanup);

const around =
  (mq: Client) =>
  ({ children }: { children: ReactNode }): ReactNode =>
    createElement(StrictMode, null, createElement(PostroadProvider, { client: mq }, children));

const event = (position: number): Record<string, unknown> => ({
  position,
  at: position,
  kind: "published",
  queue: "q",
  count: 1,
});

describe("useMessage", () => {
  it("is idle without an id, and opens nothing", () => {
    const gateway = new FakeGateway();
    const { result } = renderHook(() => useMessage(undefined), { wrapper: around(client(gateway, { lazy: true })) });

    expect(result.current).toMatchObject({ status: "idle", state: undefined, attempts: 0, timeline: [] });
    expect(gateway.connected).toBe(0);
  });

  it("follows a message from queued to done with one watch, also in StrictMode", async () => {
    const gateway = new FakeGateway();
    gateway.on("watch", () => ({
      message: { id: "m", state: "queued", attempts: 0, attempts_max: 5, timeline: [{ at: 1, kind: "published" }] },
    }));
    const { result } = renderHook(() => useMessage("m", { watch: "cap" }), { wrapper: around(client(gateway)) });
    await waitFor(() => expect(result.current).toMatchObject({ status: "live", state: "queued", attemptsMax: 5 }));

    act(() =>
      gateway.send({
        op: "state",
        sub: 1,
        message: {
          id: "m",
          state: "done",
          attempts: 2,
          attempts_max: 5,
          timeline: [],
          consumer: "w",
          reason: "smtp",
          progress: { percent: 100 },
          result: 7,
        },
      }),
    );

    await waitFor(() => expect(result.current.state).toBe("done"));
    expect(result.current).toMatchObject({
      attempts: 2,
      consumer: "w",
      reason: "smtp",
      progress: { percent: 100 },
      result: 7,
      error: undefined,
    });
    expect(gateway.frames("watch")).toHaveLength(1);
    expect(gateway.connected).toBe(1);
  });

  it("shows what handlers say: what was kept, then what comes, each line once, and anew after a restart of the broker", async () => {
    const line = (n: number, text: string) => ({
      n,
      at: n,
      level: "info",
      text,
      attempt: 1,
      consumer: "w",
      queue: "q",
    });
    const message = { id: "m", state: "delivered", attempts: 0, attempts_max: 5, timeline: [] };
    const gateway = new FakeGateway();
    gateway.on("watch", () => ({ message, logs: [line(1, "a"), line(2, "b")] }));
    const { result } = renderHook(() => useMessage("m"), { wrapper: around(client(gateway)) });
    const texts = (): string[] => result.current.logs.map(({ text }) => text);
    await waitFor(() => expect(texts()).toEqual(["a", "b"]));

    act(() => gateway.send({ op: "state", sub: 1, logs: [line(2, "b"), line(3, "c")] }));
    await waitFor(() => expect(texts()).toEqual(["a", "b", "c"]));
    expect(result.current.state).toBe("delivered");

    act(() => gateway.send({ op: "state", sub: 1, message: { ...message, state: "done" } }));
    await waitFor(() => expect(result.current.state).toBe("done"));
    expect(texts()).toEqual(["a", "b", "c"]);

    gateway.on("watch", () => ({ message, logs: [line(1, "again")] }));
    act(() => gateway.drop());
    await waitFor(() => expect(texts()).toEqual(["again"]));

    act(() => gateway.send({ op: "state", sub: 2, logs: Array.from({ length: 300 }, (_, n) => line(n + 2, `${n}`)) }));
    await waitFor(() => expect(texts()).toEqual(Array.from({ length: 200 }, (_, n) => `${n + 100}`)));
  });

  it("tells its error", async () => {
    const gateway = new FakeGateway();
    gateway.on("watch", () => ({ op: "error", code: "message-not-found", message: "No.", retryable: false }));
    const { result } = renderHook(() => useMessage("m"), { wrapper: around(client(gateway)) });

    await waitFor(() =>
      expect(result.current).toMatchObject({ status: "error", error: { code: "message-not-found" } }),
    );
  });

  it("goes over to another message", async () => {
    const gateway = new FakeGateway();
    gateway.on("watch", ({ header }) => ({
      message: { id: header["message"], state: "queued", attempts: 0, timeline: [] },
    }));
    const { result, rerender } = renderHook(({ id }) => useMessage(id), {
      wrapper: around(client(gateway)),
      initialProps: { id: "a" },
    });
    await waitFor(() => expect(result.current.message?.id).toBe("a"));

    rerender({ id: "b" });

    await waitFor(() => expect(result.current.message?.id).toBe("b"));
  });
});

describe("useQueue", () => {
  it("gives the numbers and their depth, and is not rendered again by events", async () => {
    const gateway = new FakeGateway();
    let renders = 0;
    const { result } = renderHook(
      () => {
        renders++;
        return useQueue("q");
      },
      { wrapper: around(client(gateway)) },
    );
    await waitFor(() => expect(result.current.status).toBe("live"));
    await act(async () =>
      gateway.notify("state", { queue: { ...gateway.stats("q"), ready: 1, delayed: 2, retrying: 3, leased: 4 } }),
    );
    expect(result.current).toMatchObject({ name: "q", depth: 10, ready: 1, paused: false });
    const before = renders;

    await act(async () => gateway.notify("event", { events: [event(1)] }));

    expect(renders).toBe(before);
  });

  it("shares one watch between components", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const Part = (): ReactNode => useQueue("q").status;
    const { container } = render(createElement(around(mq), null, createElement(Part), createElement(Part)));

    await waitFor(() => expect(container.textContent).toBe("livelive"));

    expect(gateway.frames("watch")).toHaveLength(1);
  });

  it("is idle without a name", () => {
    const { result } = renderHook(() => useQueue(null), { wrapper: around(client(new FakeGateway())) });

    expect(result.current).toMatchObject({ status: "idle", depth: undefined });
  });
});

describe("useQueues", () => {
  it("gives all queues", async () => {
    const gateway = new FakeGateway();
    const { result } = renderHook(() => useQueues(), { wrapper: around(client(gateway)) });
    await waitFor(() => expect(gateway.frames("watch")).toHaveLength(1));

    act(() => gateway.notify("state", { queues: [gateway.stats("a"), gateway.stats("b")] }));

    await waitFor(() => expect(result.current.queues.map(({ name }) => name)).toEqual(["a", "b"]));
  });
});

describe("useEvents", () => {
  it("loses none of the events of one tick, and keeps the last ones", async () => {
    const gateway = new FakeGateway();
    const { result } = renderHook(() => useEvents("q", { last: 3 }), { wrapper: around(client(gateway)) });
    await waitFor(() => expect(gateway.frames("watch")).toHaveLength(1));

    act(() => {
      for (let n = 1; n <= 5; n++) gateway.notify("event", { events: [event(n)], ...(n === 5 ? { skipped: 2 } : {}) });
    });

    await waitFor(() => expect(result.current.events.map(({ position }) => position)).toEqual([3, 4, 5]));
    expect(result.current.skipped).toBe(2);
  });

  it("stands still while paused and catches up after", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const { result, rerender } = renderHook(({ paused }) => useEvents(null, { paused }), {
      wrapper: around(mq),
      initialProps: { paused: false },
    });
    await waitFor(() => expect(gateway.frames("watch")).toHaveLength(1));
    act(() => gateway.notify("event", { events: [event(1)] }));
    await waitFor(() => expect(result.current.events).toHaveLength(1));

    rerender({ paused: true });
    act(() => gateway.notify("event", { events: [event(2)] }));
    await waitFor(() => expect(mq.live.queue(null).events(100).get().events).toHaveLength(2));
    expect(result.current.events).toHaveLength(1);
    rerender({ paused: false });

    await waitFor(() => expect(result.current.events).toHaveLength(2));
  });
});

describe("usePublish", () => {
  it("publishes, and tells how it went", async () => {
    const gateway = new FakeGateway();
    const { result } = renderHook(() => usePublish<number>("q"), { wrapper: around(client(gateway)) });
    const { publish } = result.current;
    expect(result.current.status).toBe("idle");

    await act(async () => void (await publish(5)));
    expect(result.current).toMatchObject({ status: "done", receipt: { id: "1-1-0" } });
    expect(result.current.publish).toBe(publish);

    gateway.on("publish", () => ({ op: "error", code: "queue-full", message: "Full.", retryable: true }));
    await act(async () => void (await publish(6).catch(() => {})));
    expect(result.current).toMatchObject({ status: "error", error: { code: "queue-full" } });

    act(() => result.current.reset());
    expect(result.current).toMatchObject({ status: "idle", error: undefined });
  });
});

describe("useConnection", () => {
  it("follows the status", async () => {
    const gateway = new FakeGateway();
    const { result } = renderHook(() => useConnection(), { wrapper: around(client(gateway)) });
    await waitFor(() => expect(result.current).toMatchObject({ status: "open", welcome: { store: "store-1" } }));

    gateway.accepts = false;
    await act(async () => gateway.drop());

    await waitFor(() => expect(result.current.status).toBe("reconnecting"));
  });
});

describe("a provider", () => {
  it("with an address makes one client, also in StrictMode, connected at the first use", async () => {
    const gateway = new FakeGateway();
    const clients = new Set<Client>();
    const Part = ({ live }: { live: boolean }): ReactNode => {
      clients.add(useClient());
      return useQueue(live ? "q" : undefined).status;
    };
    const tree = (live: boolean): ReactNode =>
      createElement(
        StrictMode,
        null,
        createElement(
          PostroadProvider,
          { url: "ws://fake/ws", options: { transport: gateway.transport } },
          createElement(Part, { live }),
        ),
      );
    const { container, rerender } = render(tree(false));
    expect(gateway.connected).toBe(0);

    rerender(tree(true));

    await waitFor(() => expect(container.textContent).toBe("live"));
    expect(gateway.connected).toBe(1);
    await Promise.all([...clients].map((mq) => mq.close({ drain: false })));
  });

  it("is asked for by the hooks", () => {
    expect(() => renderHook(() => useQueues())).toThrow("PostroadProvider");
  });
});

describe("on a server", () => {
  it("renders idle and opens nothing", () => {
    const gateway = new FakeGateway();
    const Page = (): ReactNode =>
      `${useConnection().status} ${useMessage("m").status} ${useQueue("q").status} ${useEvents("q").events.length}`;

    const html = renderToString(
      createElement(
        PostroadProvider,
        { url: "ws://fake/ws", options: { transport: gateway.transport } },
        createElement(Page),
      ),
    );

    expect(html).toBe("idle idle idle 0");
    expect(gateway.connected).toBe(0);
  });
});
