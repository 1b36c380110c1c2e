// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { stats, streamStats } from "../../testing/stats.js";
import { Palette } from "./palette.js";

afterEach(cleanup);

it.each([
  ["clicks", "/streams/clicks"],
  ["emails", "/queues/emails"],
  ["Streams", "/streams"],
  ["Topics", "/topics"],
  ["Schedules", "/schedules"],
])("goes to %s", async (name, path) => {
  // What the list scrolls and measures by, which there is no need for here.
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  Element.prototype.scrollIntoView = () => {};
  const { hook, history } = memoryLocation({ path: "/", record: true });
  render(
    <Router hook={hook}>
      <Palette
        open
        close={() => {}}
        demo={false}
        queues={[stats("emails")]}
        streams={[streamStats("clicks")]}
        chooseTheme={() => {}}
        help={() => {}}
      />
    </Router>,
  );

  fireEvent.click(screen.getByRole("option", { name }));

  expect(history.at(-1)).toBe(path);
});
