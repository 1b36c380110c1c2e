// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import { type ReactNode, useEffect } from "react";
import { afterEach, expect, it } from "vitest";
import { refusal } from "../testing/answers.js";
import { renderLive } from "../testing/render_live.js";
import { Button } from "../ui/button.js";
import { ReadOnly } from "../ui/read_only.js";
import { useClient } from "./client.js";
import { refusals, useAct } from "./rights.js";

afterEach(() => {
  cleanup();
  refusals.clear();
});

function Pause({ queue, label = "Pause" }: { queue: string; label?: string }): ReactNode {
  const mq = useClient();
  const act = useAct("manage", queue);
  const pause = (): void =>
    void act.run(() => mq.queue(queue).pause(), { done: () => `${queue} is paused.`, failed: "It was not paused." });
  useEffect(() => act.reset, [act.reset]);
  return (
    <>
      <ReadOnly reason={act.refused} />
      <Button refused={act.refused} onClick={pause}>
        {label}
      </Button>
    </>
  );
}

it("announces what was done", async () => {
  await renderLive(<Pause queue="emails" />);

  fireEvent.click(screen.getByRole("button", { name: "Pause" }));

  expect(await screen.findByText("emails is paused.")).toBeTruthy();
});

it("explains a missing right at every control that needs it, and asks no more", async () => {
  const { gateway } = await renderLive(
    <>
      <Pause queue="emails" />
      <Pause queue="emails" label="Also pause" />
      <Pause queue="other" label="Pause other" />
    </>,
  );
  gateway.on("operate", () => refusal("This needs the right to manage on 'emails'."));
  fireEvent.click(screen.getByRole("button", { name: "Pause" }));

  expect((await screen.findAllByRole("note", { name: "Read only" })).length).toBe(2);
  const also = screen.getByRole("button", { name: "Also pause" });
  expect(also.getAttribute("aria-disabled")).toBe("true");
  expect(also.title).toContain("right to manage on 'emails'");
  fireEvent.click(also);
  expect(gateway.frames("operate")).toHaveLength(1);
  expect(screen.getByRole("button", { name: "Pause other" }).getAttribute("aria-disabled")).toBeNull();
});

it("says another failure and keeps the control", async () => {
  const { gateway } = await renderLive(<Pause queue="emails" />);
  gateway.on("operate", () => ({ op: "error", code: "unavailable", message: "Stopping.", retryable: true }));

  fireEvent.click(screen.getByRole("button", { name: "Pause" }));

  expect(await screen.findByText(/It was not paused/)).toBeTruthy();
  expect(screen.queryByRole("note")).toBeNull();
});
