/** A gateway for tests, programmable and without a network. Node only. */

export { type MemoryPeer, memoryTransport } from "../transport/memory.js";
export { type FakeConnection, FakeGateway, type FakeHandler, type FakeReply } from "./gateway.js";
export { type FakeServer, serveFake } from "./server.js";
export { type FakeMessage, type ReceivedFrame, textOf } from "./wire.js";
