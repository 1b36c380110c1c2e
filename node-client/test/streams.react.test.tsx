// @vitest-environment happy-dom
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import { createElement, type ReactNode, StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Client, defineQueue, defineStream, defineTopic, type StandardSchema } from "../src/index.js";
import {
  PostroadProvider,
  useGroup,
  useMessage,
  usePublish,
  useQueue,
  useStream,
  useStreamStats,
  useStreams,
} from "../src/react/index.js";
import { createTestBroker, type TestBroker } from "../src/testing/index.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };
const clicks = defineStream<{ n: number }>({ name: "clicks" });
const emails = defineQueue<{ to: string }>({ name: "emails" });

let broker: TestBroker;
let mq: Client;
let wrapper: (props: { children: ReactNode }) => ReactNode;
beforeEach(() => {
  broker = createTestBroker();
  mq = broker.connect({ reconnect: { minMs: 1, maxMs: 2 }, logger: QUIET });
  wrapper = ({ children }) =>
    createElement(StrictMode, null, createElement(PostroadProvider, { client: mq }, children));
});
afterEach(async () => {
  cleanup();
  await mq.close({ drain: false });
});

describe("useStream", () => {
  it("shows the newest messages, as many as are kept, and goes on through a lost connection", async () => {
    await mq.stream(clicks).publishMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
    const { result } = renderHook(() => useStream(clicks, { keep: 2 }), { wrapper });
    const shown = (): number[] => result.current.messages.map(({ body }) => body.n);
    await waitFor(() => expect(shown()).toEqual([2, 3]));
    expect(result.current).toMatchObject({ status: "live", trimmed: undefined, error: undefined });

    act(() => broker.drop());
    await mq.stream(clicks).publish({ n: 4 });
    await waitFor(() => expect(shown()).toEqual([3, 4]));
    expect(result.current.status).toBe("live");
  });

  it("shows bodies as the definition's schema returns them, and counts what it refuses", async () => {
    const schema: StandardSchema<{ n: number }, number> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          typeof (value as { n: unknown }).n === "number"
            ? { value: (value as { n: number }).n }
            : { issues: [{ message: "must be a number", path: ["n"] }] },
      },
    };
    const counted = defineStream({ name: "counted", schema });
    await mq.stream("counted").publishMany([{ n: 1 }, { n: "two" }, { n: 3 }]);
    const { result } = renderHook(() => useStream(counted), { wrapper });
    const raw = renderHook(() => useStream("counted"), { wrapper });

    await waitFor(() => expect(result.current.messages.map(({ body }) => body)).toEqual([1, 3]));
    expect(result.current.invalid).toBe(1);
    expect(result.current.lastInvalid?.message).toContain("n: must be a number");
    await waitFor(() => expect(raw.result.current.messages).toHaveLength(3));
    expect(raw.result.current).toMatchObject({ invalid: 0, lastInvalid: undefined });
  });

  it("says what retention took while it was away", async () => {
    const short = mq.stream<number>("short");
    await short.declare({ retentionCount: 1 });
    await short.publishMany([0, 1, 2]);
    const { result } = renderHook(() => useStream("short", { from: { offset: 0 } }), { wrapper });
    await waitFor(() => expect(result.current.messages.map(({ offset }) => offset)).toEqual([2]));
    expect(result.current.trimmed).toBe(2);
  });

  it("is an error for a stream that is not there, and idle without a name or on a server", async () => {
    const missing = renderHook(() => useStream("missing"), { wrapper });
    await waitFor(() => expect(missing.result.current.status).toBe("error"));
    expect(missing.result.current.error?.code).toBe("queue-not-found");
    expect(renderHook(() => useStream(undefined), { wrapper }).result.current.status).toBe("idle");
    const Page = (): ReactNode => useStream("clicks").status;
    expect(renderToString(wrapper({ children: createElement(Page) }) as never)).toBe("idle");
  });
});

describe("useGroup", () => {
  it("shows how far a group is behind", async () => {
    await mq.stream(clicks).publishMany([{ n: 1 }, { n: 2 }]);
    await mq.stream(clicks).group("g").declare({}, { from: "earliest" });
    const { result } = renderHook(() => useGroup(clicks, "g"), { wrapper });
    await waitFor(() => expect(result.current).toMatchObject({ status: "live", lag: 2, committed: 0 }));
  });

  it("is an error for a group that is not there, and idle without a name", async () => {
    await mq.stream(clicks).publish({ n: 1 });
    const { result } = renderHook(() => useGroup("clicks", "none"), { wrapper });
    await waitFor(() => expect(result.current.error?.code).toBe("queue-not-found"));
    expect(renderHook(() => useGroup("clicks", undefined), { wrapper }).result.current.status).toBe("idle");
  });
});

it("hooks of queues take definitions", async () => {
  const { result } = renderHook(() => ({ queue: useQueue(emails), publish: usePublish(emails) }), { wrapper });
  await act(async () => {
    await result.current.publish.publish({ to: "ada" });
  });
  expect(broker.messages("emails")).toMatchObject([{ body: { to: "ada" } }]);
  expect(result.current.publish.status).toBe("done");
});

it("usePublish goes to what a definition describes", async () => {
  const sent = defineTopic<number>({ name: "mail.sent" });
  const { result } = renderHook(() => ({ clicks: usePublish(clicks), sent: usePublish(sent) }), { wrapper });
  await act(async () => {
    await result.current.clicks.publish({ n: 1 });
    await result.current.sent.publish(1);
  });
  expect(result.current.sent.receipt?.routed).toBe(0);
  expect(await mq.stream(clicks).stats()).toMatchObject({ messages: 1 });
});

it("useMessage shows each place that a message went to", async () => {
  await mq.queue("a").declare();
  await mq.queue("b").declare();
  await mq.bind("both", { queue: "a" });
  await mq.bind("both", { queue: "b" });
  const { id, watch } = await mq.topic("both").publish(1);
  mq.queue("b").consume(() => "done");
  const { result } = renderHook(() => useMessage(id, { watch }), { wrapper });

  await waitFor(() =>
    expect(result.current.placements.map(({ queue, state, result: value }) => [queue, state, value])).toEqual([
      ["a", "queued", null],
      ["b", "done", "done"],
    ]),
  );
  expect(result.current.state).toBe("queued");
});

describe("useStreamStats", () => {
  it("follows a stream and its groups as they change, and goes on through a lost connection", async () => {
    const stream = mq.stream(clicks);
    await stream.publish({ n: 1 });
    const { result } = renderHook(() => useStreamStats("clicks"), { wrapper });
    await waitFor(() => expect(result.current).toMatchObject({ status: "live", messages: 1, groups: [] }));

    await stream.group("counters").declare({}, { from: "earliest" });
    await waitFor(() => expect(result.current.groups?.map(({ lag }) => lag)).toEqual([1]));

    act(() => broker.drop());
    await stream.publish({ n: 2 });
    await waitFor(() => expect(result.current).toMatchObject({ status: "live", next: 2, messages: 2 }));
  });

  it("is an error for a stream that is not there, and idle without a name", async () => {
    const { result } = renderHook(() => useStreamStats("missing"), { wrapper });
    await waitFor(() => expect(result.current.error?.code).toBe("queue-not-found"));
    expect(renderHook(() => useStreamStats(null), { wrapper }).result.current.status).toBe("idle");
  });
});

describe("useStreams", () => {
  it("lists all streams, those that come later as well", async () => {
    await mq.stream(clicks).publish({ n: 1 });
    const { result } = renderHook(() => useStreams(), { wrapper });
    await waitFor(() => expect(result.current.streams.map(({ name }) => name)).toEqual(["clicks"]));

    await mq.stream("views").publish({ n: 1 });
    await waitFor(() => expect(result.current.streams.map(({ name }) => name)).toEqual(["clicks", "views"]));
  });
});
