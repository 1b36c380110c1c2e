import type { ReactNode } from "react";
import { useSocketUrl } from "../../live/client.js";
import { Code } from "../../ui/code.js";
import { Panel } from "../../ui/views.js";

const EXPRESS = (url: string): string => `const mq = connect("${url}");

app.post("/signups", async (req, res) => {
  const { id, watch } = await mq
    .queue<SignUp>("emails")
    .publish(req.body);
  res.status(202).json({ id, watch });
});`;

const WORKER = `const emails = mq.queue<SignUp>("emails");

emails.consume(async (m) => {
  await m.progress(60, "sending");
  await mailer.sendMail(welcome(m.body));
  await m.progress(100, "sent");
}, { concurrency: 5 });
// return: done, throw: try again later`;

const REACT = `function Status({ id, watch }: Confirm) {
  const { state, progress, timeline } =
    useMessage(id, { watch });
  return <Timeline steps={timeline} />;
}

const { ready, leased, rateAcked } =
  useQueue("emails");`;

/** The few lines that do what the page shows. */
export function CodeBehind(): ReactNode {
  const url = useSocketUrl();
  return (
    <Panel title="The code behind it" flush>
      <div className="code-behind">
        <Code label="Express: publish" text={EXPRESS(url)} />
        <Code label="Worker: consume" text={WORKER} />
        <Code label="React: follow" text={REACT} />
      </div>
    </Panel>
  );
}
