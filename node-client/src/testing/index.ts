/**
 * For tests without a server: {@link createTestBroker} behaves like a broker, {@link FakeGateway} does what a test tells
 * it to. Node only.
 */

export { type MemoryPeer, memoryTransport } from "../transport/memory.js";
export { createTestBroker, type HeldMessage, type TestBroker, type TestBrokerOptions } from "./broker/broker.js";
export { type FakeConnection, FakeGateway, type FakeHandler, type FakeReply } from "./gateway.js";
export { type FakeServer, serveFake } from "./server.js";
export { type FakeMessage, type ReceivedFrame, textOf } from "./wire.js";
