import { ArrowLeft, ExternalLink } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { Demo, Mail } from "../../api/demo.js";
import { count } from "../../format/number.js";
import { Clock } from "../../ui/time.js";
import { useToasts } from "../../ui/toast.js";
import type { MailboxView } from "./use_mailbox.js";

const LISTED_MAX = 30;

/** The mailbox of the demo: letters as they land; one opens in place. */
export function Mailbox({ demo, box, mine }: { demo: Demo; box: MailboxView; mine: string | null }): ReactNode {
  const [openId, setOpenId] = useState<number | null>(null);
  const opened = box.letters.find((mail) => mail.id === openId) ?? null;
  return (
    <section className="mailbox" aria-label="Mailbox">
      <header>
        <h2>Mailbox</h2>
        <span className="small muted">
          {box.status === "lost" ? "not reachable, trying again" : `${count(box.total)} so far`}
        </span>
      </header>
      {opened !== null ? (
        <Letter demo={demo} mail={opened} back={() => setOpenId(null)} />
      ) : box.letters.length === 0 ? (
        <p className="mailbox-none muted">
          {box.status === "loading"
            ? "Looking …"
            : "No letter yet. The first one lands here about a second after the sign-up."}
        </p>
      ) : (
        <ul className={box.status === "lost" ? "letters dim" : "letters"}>
          {box.letters.slice(0, LISTED_MAX).map((mail) => (
            <li key={mail.id}>
              <button
                type="button"
                className={mail.message === mine ? "letter-row own" : "letter-row"}
                onClick={() => setOpenId(mail.id)}
              >
                <span className="letter-subject">{mail.subject}</span>
                <span className="letter-at small muted">
                  <Clock at={mail.at} />
                </span>
                <span className="letter-to small muted">{mail.to}</span>
                {mail.message === mine && <span className="letter-own small">yours</span>}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** One opened letter. Its text is shown as text: what strangers typed is never markup here. */
function Letter({ demo, mail, back }: { demo: Demo; mail: Mail; back: () => void }): ReactNode {
  const { say, fail } = useToasts();
  const [verified, setVerified] = useState(false);
  const paragraphs = mail.text.split(/\n{2,}/).filter((text) => text.trim() !== "");
  const verify = (): void => {
    demo.verify(mail.message ?? "").then(
      () => {
        setVerified(true);
        say("Address confirmed: the round trip is complete.");
      },
      (error: unknown) => fail("Not confirmed.", error),
    );
  };
  return (
    <article className="letter" aria-label={`Letter to ${mail.to}`}>
      <div className="letter-tools">
        <button type="button" className="button quiet small" onClick={back}>
          <ArrowLeft size={14} aria-hidden="true" /> All letters
        </button>
        {mail.html !== null && (
          <a
            className="button quiet small"
            href={`${demo.stage}/mails/${mail.id}/html`}
            target="_blank"
            rel="noreferrer"
          >
            As HTML <ExternalLink size={13} aria-hidden="true" />
          </a>
        )}
      </div>
      <div className="letter-paper">
        <dl>
          <dt>From</dt>
          <dd>{mail.from.replace(/"/g, "")}</dd>
          <dt>To</dt>
          <dd>{mail.to}</dd>
        </dl>
        <h3>{mail.subject}</h3>
        {paragraphs.map((text) =>
          /^https?:\/\/\S+$/.test(text.trim()) ? (
            <p key={text}>
              <button
                type="button"
                className="button primary small"
                disabled={verified || mail.message === null}
                onClick={verify}
              >
                {verified ? "Confirmed" : "Confirm my address"}
              </button>
            </p>
          ) : (
            <p key={text}>{text}</p>
          ),
        )}
      </div>
    </article>
  );
}
