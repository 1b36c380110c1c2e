import type { FakeGateway } from "postroad/testing";

type Levels = Readonly<Record<string, "native" | "emulated" | "gateway-local" | "unsupported">>;

/** Says hello as a gateway on another engine. */
export const onEngine =
  (engine: string, capabilities: Levels, more: object = {}) =>
  (gateway: FakeGateway): void => {
    gateway.on("hello", () => ({
      ...{ op: "welcome", server: { name: "fake", version: "0" }, protocol: 1, store: "s", epoch: 1, now: Date.now() },
      ...{ engine, durability: "sync", capabilities, limits: gateway.limits, session: { id: "", last_frame: 0 } },
      ...more,
    }));
  };
