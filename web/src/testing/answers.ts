import type { FakeGateway } from "postroad/testing";

type Answers = Readonly<Record<string, object | ((header: Readonly<Record<string, unknown>>) => object)>>;

/** Answers queries or operations by their `what` or `do`; the rest as the fake gateway does. */
export function answer(gateway: FakeGateway, op: "query" | "operate", answers: Answers): void {
  gateway.on(op, ({ header }) => {
    const found = answers[String(header[op === "query" ? "what" : "do"])];
    if (found === undefined) return undefined;
    return { op: "ok", ...(typeof found === "function" ? found(header) : found) };
  });
}

/** A refusal for want of a right. */
export const refusal = (message: string) => ({ op: "error", code: "not-allowed", message, retryable: false });
