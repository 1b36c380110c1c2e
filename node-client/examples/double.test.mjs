// A unit test of a handler's behaviour, without a server: node --test
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestBroker } from "postroad/testing";

test("a mail is tried again a second later", async () => {
  const broker = createTestBroker();
  const mq = broker.connect();
  const sent = [];
  mq.queue("emails").consume((m) => {
    if (m.attempt === 1) throw new Error("421 try later");
    sent.push(m.body.to);
  });
  await mq.queue("emails").publish({ to: "ada@example.org" });
  await broker.idle();
  assert.deepEqual(sent, []);
  await broker.advance(1_000); // the clock stands still otherwise
  assert.deepEqual(sent, ["ada@example.org"]);
  await mq.close();
});
