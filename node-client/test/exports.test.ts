import { describe, expect, it } from "vitest";
import * as express from "../src/express/index.js";
import * as main from "../src/index.js";
import * as react from "../src/react/index.js";
import * as testing from "../src/testing/index.js";

describe("public names", () => {
  it.each([
    [
      "postroad",
      main,
      [
        ...[
          "AlreadySettled",
          "BatchDone",
          "Client",
          "Conflict",
          "Corrupt",
          "DEFAULT_LIMITS",
          "DeadLetter",
          "Done",
          "ERRORS",
          "Gone",
          "Internal",
        ],
        ...[
          "InvalidName",
          "InvalidRequest",
          "InvalidState",
          "LeaseLost",
          "LimitExceeded",
          "MessageNotFound",
          "NotAllowed",
          "NotAuthenticated",
        ],
        ...[
          "OutcomeUnknown",
          "PostroadError",
          "QueueFull",
          "QueueNotFound",
          "Retry",
          "StorageFull",
          "Unavailable",
          "Unroutable",
          "Unsupported",
          "VERSION",
        ],
        ...["CallFailed", "CallTimeout", "InvalidMessage"],
        ...["asPostroadError", "capability", "connect", "errorFrom"],
        ...["defineQueue", "defineStream", "defineTopic", "idempotent", "memoryStore"],
      ],
    ],
    [
      "postroad/react",
      react,
      [
        "PostroadProvider",
        "useClient",
        "useConnection",
        "useEvents",
        "useGroup",
        "useMessage",
        "usePublish",
        "useQueue",
        "useQueues",
        "useStream",
        "useStreamStats",
        "useStreams",
      ],
    ],
    ["postroad/express", express, ["closeOnSignals", "health", "postroad"]],
    ["postroad/testing", testing, ["FakeGateway", "createTestBroker", "memoryTransport", "serveFake", "textOf"]],
  ])("of %s are these", (_name, module, names) => {
    expect(Object.keys(module).sort()).toEqual([...names].sort());
  });
});
