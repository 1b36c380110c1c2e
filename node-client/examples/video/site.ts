/** Takes jobs, cancels them, and serves the page and the finished videos. */
import express from "express";
import { connect, PostroadError } from "postroad";
import { BROKER, DATA } from "../shared/process.js";
import { listen, siteOf } from "../shared/site.js";
import { videos } from "./job.js";

const mq = connect(BROKER, { name: "video-site" });
const queue = mq.queue(videos);
await queue.declare();

const app = siteOf("video", mq);
app.use("/files", express.static(DATA));

app.post("/videos", express.json(), async (req, res) => {
  const { seconds, isLive = false } = req.body ?? {};
  if (!Number.isSafeInteger(seconds) || seconds < 1 || typeof isLive !== "boolean") {
    res.status(400).json({ error: "A video has a number of seconds." });
    return;
  }
  // The browser gets `watch`: it may follow this message, and nothing else.
  const { id, watch } = await queue.publish({ seconds, isLive });
  res.status(202).json({ id, watch });
});

app.delete("/videos/:id", async (req, res) => {
  try {
    await mq.cancel(req.params.id);
    res.status(204).end();
  } catch (error) {
    if (!(error instanceof PostroadError) || error.retryable) throw error;
    res.status(409).json({ error: error.message }); // it is done, for instance
  }
});

listen(app, mq);
