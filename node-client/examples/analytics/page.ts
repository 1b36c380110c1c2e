/** The browser's part: what is counted from now on, as it is counted. */
import { connect } from "postroad";
import { counts } from "./streams.js";
import { type Count, Tally } from "./tally.js";

const { url } = (await (await fetch("/broker.json")).json()) as { readonly url: string };
const mq = connect(url, { name: "analytics-page" });
const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const tally = new Tally();

const reader = mq.stream(counts).read({
  from: "latest",
  onMessages: (parts) => {
    for (const { body, offset } of parts) {
      tally.add(body);
      element("offset").textContent = String(offset);
    }
    show(tally.counts());
  },
});
reader.closed.catch((error: Error) => (element("status").textContent = error.message));
// Requests are answered in order, so the reader has begun when this one is answered.
await mq.stream(counts).stats();
mq.onStatus((status) => (element("status").textContent = status === "open" ? "live" : status));
element("status").textContent = "live";

function show(all: readonly Count[]): void {
  element("total").textContent = String(all.reduce((sum, { clicks }) => sum + clicks, 0));
  element("counts").replaceChildren(
    ...all.map(({ window, page, clicks }) => {
      const row = document.createElement("tr");
      row.dataset["window"] = String(window);
      const time = new Date(window).toLocaleTimeString();
      for (const text of [time, page, String(clicks)])
        row.append(Object.assign(document.createElement("td"), { textContent: text }));
      return row;
    }),
  );
}
