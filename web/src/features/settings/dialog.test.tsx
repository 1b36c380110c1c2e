// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import type { StreamSettings } from "../../live/types.js";
import { onEngine } from "../../testing/on_engine.js";
import { renderLive } from "../../testing/render_live.js";
import { SettingsDialog } from "./dialog.js";
import { STREAM_FIELDS } from "./fields.js";

afterEach(cleanup);

const STREAM: Required<StreamSettings> = {
  retentionMs: 604_800_000,
  retentionBytes: null,
  retentionCount: null,
  keepUntilAcked: false,
  compaction: false,
  tombstoneMs: 86_400_000,
};

it("saves only what was changed, and tells how much", async () => {
  const save = vi.fn(async () => ({}));
  const close = vi.fn();
  await renderLive(
    <SettingsDialog
      name="clicks"
      fields={STREAM_FIELDS}
      values={{ ...STREAM, retentionCount: 100 }}
      save={save}
      saved={() => {}}
      open
      close={close}
    />,
  );
  expect((screen.getByRole("button", { name: "Nothing changed" }) as HTMLButtonElement).disabled).toBe(true);

  fireEvent.change(screen.getByLabelText("Keep for"), { target: { value: "" } });
  fireEvent.click(screen.getByLabelText("Keep until every group has settled it"));
  fireEvent.click(screen.getByRole("button", { name: "Change 2 settings" }));

  await waitFor(() => expect(close).toHaveBeenCalled());
  expect(save).toHaveBeenCalledWith({ retentionMs: null, keepUntilAcked: true });
  expect(await screen.findByText("2 settings of clicks changed.")).toBeTruthy();
});

it("leaves alone what the engine cannot keep, and says why", async () => {
  const levels = { retention_bytes: "unsupported", keep_until_acked: "unsupported", retention_ms: "emulated" } as const;
  await renderLive(
    <SettingsDialog
      name="clicks"
      fields={STREAM_FIELDS}
      values={{ ...STREAM }}
      save={async () => ({})}
      open
      close={() => {}}
    />,
    onEngine("redis", levels, { reasons: { retention_bytes: "Redis does not count bytes." } }),
  );

  const bytes = screen.getByLabelText("Keep at most, bytes");
  expect([bytes.hasAttribute("disabled"), bytes.title]).toEqual([true, "Redis does not count bytes."]);
  expect(screen.getByLabelText(/Keep until every group/).hasAttribute("disabled")).toBe(true);
  expect(screen.getByLabelText("Keep for").hasAttribute("disabled")).toBe(false);
});

it("asks how long tombstones are kept where keys are compacted only", async () => {
  const save = vi.fn(async () => ({}));
  await renderLive(
    <SettingsDialog
      name="prices"
      fields={STREAM_FIELDS}
      values={{ ...STREAM }}
      save={save}
      saved={() => {}}
      open
      close={() => {}}
    />,
  );
  expect(screen.queryByLabelText("Keep tombstones for")).toBeNull();

  fireEvent.click(screen.getByLabelText(/^Compaction/));
  fireEvent.change(screen.getByLabelText("Keep tombstones for"), { target: { value: "2 h" } });
  fireEvent.click(screen.getByRole("button", { name: "Change 2 settings" }));

  await waitFor(() => expect(save).toHaveBeenCalledWith({ compaction: true, tombstoneMs: 7_200_000 }));
});

it("does not offer compaction where the engine has none", async () => {
  await renderLive(
    <SettingsDialog
      name="prices"
      fields={STREAM_FIELDS}
      values={{ ...STREAM }}
      save={async () => ({})}
      open
      close={() => {}}
    />,
    onEngine("redis", { compaction: "unsupported" }, { reasons: { compaction: "Redis Streams keep no keys." } }),
  );

  const compaction = screen.getByLabelText(/^Compaction/);
  expect(compaction.hasAttribute("disabled")).toBe(true);
  expect(compaction.closest("label")?.title).toBe("Redis Streams keep no keys.");
});
