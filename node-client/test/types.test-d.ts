/** What the compiler knows of bodies, results and options; checked by `tsc`, never run. */
import { assertType, expectTypeOf, test } from "vitest";
import {
  type Client,
  defineQueue,
  defineStream,
  defineTopic,
  type Message,
  type Receipt,
  type StandardSchema,
  type StreamMessage,
  type TopicReceipt,
} from "../src/index.js";
import { usePublish, useStream } from "../src/react/index.js";

declare const mq: Client;
interface Mail {
  readonly to: string;
}
declare const schema: StandardSchema<{ at: string }, { at: Date }>;

test("a queue's type is what is published and handled", () => {
  const q = mq.queue<Mail>("emails");
  expectTypeOf(q.publish).parameter(0).toEqualTypeOf<Mail>();
  expectTypeOf(q.publish).returns.resolves.toEqualTypeOf<Receipt>();
  q.consume((m) => expectTypeOf(m).toEqualTypeOf<Message<Mail>>());
  q.consumeBatch((messages) => expectTypeOf(messages).toEqualTypeOf<readonly Message<Mail>[]>());
  expectTypeOf(mq.queue("x")).toEqualTypeOf<ReturnType<typeof mq.queue<unknown>>>();
  // @ts-expect-error Not a Mail.
  void q.publish({ to: 5 });
  // @ts-expect-error A publisher of queues has no mandatory.
  void q.publish({ to: "a" }, { mandatory: true });
});

test("a schema's input is published, and its output is handled", () => {
  const q = mq.queue(defineQueue({ name: "dated", schema }));
  expectTypeOf(q.publish).parameter(0).toEqualTypeOf<{ at: string }>();
  q.consume((m) => expectTypeOf(m.body).toEqualTypeOf<{ at: Date }>());
  // @ts-expect-error A stream's definition is not a queue's.
  mq.queue(defineStream({ name: "log", schema }));
  // @ts-expect-error A stream has no attempts.
  defineStream({ name: "log", settings: { attemptsMax: 1 } });
  expectTypeOf(mq.queue(defineQueue<Mail>({ name: "emails" })).publish)
    .parameter(0)
    .toEqualTypeOf<Mail>();
});

test("a call is typed by who calls", () => {
  expectTypeOf(mq.queue<Mail>("emails").call<{ ok: boolean }>({ to: "a" })).resolves.toEqualTypeOf<{ ok: boolean }>();
  expectTypeOf(mq.queue<Mail>("emails").call({ to: "a" })).resolves.toEqualTypeOf<unknown>();
});

test("a stream has readers and groups of its type, and neither delay nor priority", () => {
  const log = mq.stream<Mail>("log");
  log.group("g").consume((m) => expectTypeOf(m.body).toEqualTypeOf<Mail>(), { from: { offset: 3 } });
  expectTypeOf(log.read().next()).resolves.toEqualTypeOf<IteratorResult<StreamMessage<Mail>>>();
  // @ts-expect-error Streams take no delay.
  void log.publish({ to: "a" }, { delayMs: 5 });
  // @ts-expect-error A group does not begin at the last n.
  void log.group("g").reset({ last: 3 });
});

test("a topic's receipt says where it went", () => {
  const topic = mq.topic(defineTopic<Mail>({ name: "mail.sent" }));
  expectTypeOf(topic.publish({ to: "a" }, { mandatory: true })).resolves.toEqualTypeOf<TopicReceipt>();
  expectTypeOf<TopicReceipt["routed"]>().toEqualTypeOf<number>();
  // @ts-expect-error A binding has one target.
  void mq.bind("a.*", { queue: "q", stream: "s" });
  assertType(mq.bind("a.*", { queue: defineQueue({ name: "q" }), headers: { values: { a: "b" } } }));
});

test("a schedule is at times or every so often, for one target", () => {
  const message = { body: 1 };
  assertType(mq.schedule("s", { cron: "0 3 * * *", zone: "Europe/Berlin", queue: "q", message }));
  assertType(mq.schedule("s", { everyMs: 1_000, topic: "t", message }));
  // @ts-expect-error Not both.
  void mq.schedule("s", { everyMs: 1_000, cron: "* * * * *", queue: "q", message });
  // @ts-expect-error It needs a target.
  void mq.schedule("s", { everyMs: 1_000, message });
});

test("hooks know a definition's types", () => {
  const publish = (): ReturnType<typeof usePublish<{ at: string }>> =>
    usePublish(defineQueue({ name: "dated", schema }));
  expectTypeOf(publish().publish).parameter(0).toEqualTypeOf<{ at: string }>();
  const stream = (): { readonly messages: readonly StreamMessage<{ at: Date }>[] } =>
    useStream(defineStream({ name: "log", schema }));
  assertType(stream);
});
