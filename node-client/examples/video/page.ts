/** The browser's part: follows each job by its message, over the page's own connection to the broker. */
import { connect, type MessageInfo } from "postroad";
import type { Video } from "./job.js";

const { url } = (await (await fetch("/broker.json")).json()) as { readonly url: string };
const mq = connect(url, { name: "video-page" });
const list = document.querySelector("#jobs") as HTMLElement;
const form = document.querySelector("form") as HTMLFormElement;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const job = { seconds: Number(new FormData(form).get("seconds")), isLive: new FormData(form).has("live") };
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/videos", { method: "POST", headers, body: JSON.stringify(job) });
  const { id, watch } = (await answer.json()) as { readonly id: string; readonly watch: string };
  follow(id, watch);
});

function follow(id: string, watch: string): void {
  const progress = Object.assign(document.createElement("progress"), { max: 100, value: 0 });
  const state = Object.assign(document.createElement("span"), { className: "state", textContent: "queued" });
  const cancel = Object.assign(document.createElement("button"), { textContent: "Cancel" });
  cancel.addEventListener("click", () => void fetch(`/videos/${encodeURIComponent(id)}`, { method: "DELETE" }));
  const row = document.createElement("li");
  const log = Object.assign(document.createElement("details"), { className: "log", hidden: true });
  const lines = document.createElement("pre");
  log.append(Object.assign(document.createElement("summary"), { textContent: "ffmpeg" }), lines);
  row.append(progress, state, cancel, log);
  list.prepend(row);

  const end = mq.watchMessage(id, {
    watch,
    onState: ({ message, logs }) => {
      if (message === undefined) return;
      log.hidden = logs.length === 0;
      lines.textContent = logs.map(({ text }) => text).join("\n");
      progress.value = message.state === "done" ? 100 : (message.progress?.percent ?? 0);
      state.textContent = textOf(message);
      if (!["done", "dead", "cancelled", "expired", "purged"].includes(message.state)) return;
      cancel.remove();
      if (message.state === "done") row.append(linkTo(message.result as Video));
      queueMicrotask(() => end());
    },
  });
}

function textOf({ state, progress, reason }: MessageInfo): string {
  if (state === "delivered") return `${progress?.percent ?? 0} %`;
  return state === "retrying" || state === "dead" ? `${state}: ${reason}` : state;
}

function linkTo({ path, durationMs }: Video): HTMLElement {
  return Object.assign(document.createElement("a"), {
    href: `/files/${encodeURIComponent(path)}`,
    textContent: `${durationMs / 1_000} s`,
  });
}
