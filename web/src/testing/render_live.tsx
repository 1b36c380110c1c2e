import { type RenderResult, render } from "@testing-library/react";
import { connect } from "postroad";
import { PostroadProvider } from "postroad/react";
import { FakeGateway } from "postroad/testing";
import type { ReactNode } from "react";
import { onTestFinished } from "vitest";
import { ToastProvider } from "../ui/toast.js";

/**
 * Renders parts of the app over a connection to a fake gateway; both end with the test.
 *
 * @param prepare - tells the gateway what to answer to what is asked at once.
 */
export async function renderLive(
  what: ReactNode,
  prepare: (gateway: FakeGateway) => void = () => {},
): Promise<RenderResult & { gateway: FakeGateway }> {
  const gateway = new FakeGateway();
  prepare(gateway);
  const mq = connect("ws://fake", { transport: gateway.transport });
  await mq.ready();
  const rendered = render(
    <PostroadProvider client={mq}>
      <ToastProvider>{what}</ToastProvider>
    </PostroadProvider>,
  );
  onTestFinished(async () => {
    rendered.unmount();
    await mq.close({ drain: false });
  });
  return { ...rendered, gateway };
}
