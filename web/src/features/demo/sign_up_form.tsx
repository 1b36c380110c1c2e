import { type FormEvent, type ReactNode, useState } from "react";
import type { Demo } from "../../api/demo.js";
import { RequestError } from "../../api/http.js";
import { duration } from "../../format/duration.js";
import { Button } from "../../ui/button.js";
import { Field } from "../../ui/field.js";
import type { Mine } from "./mine.js";

/** The form of the front page: posts to Express and hands on what it answered. */
export function SignUpForm({ demo, accepted }: { demo: Demo; accepted: (mine: Mine) => void }): ReactNode {
  const [name, setName] = useState("Ada Lovelace");
  const [email, setEmail] = useState("ada@example.org");
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState("");
  const [error, setError] = useState<RequestError | null>(null);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    const started = performance.now();
    try {
      const { id, watch } = await demo.signUp(name, email);
      const answerMs = performance.now() - started;
      setAnswer(`202 in ${duration(answerMs)}. The letter is on its way.`);
      accepted({ id, watch, name: name.trim(), acceptedAt: Date.now(), answerMs });
    } catch (cause) {
      setAnswer("");
      setError(
        cause instanceof RequestError ? cause : new RequestError("internal", "Something went wrong here.", false),
      );
    } finally {
      setBusy(false);
    }
  };

  const of = (field: string): string | undefined => error?.fields.find((one) => one.field === field)?.detail;
  return (
    <form className="sign-up" onSubmit={(event) => void submit(event)} noValidate aria-label="Sign up">
      <h2>Sign up</h2>
      <Field
        label="Name"
        name="name"
        autoComplete="off"
        value={name}
        error={of("name")}
        onChange={(event) => setName(event.target.value)}
      />
      <Field
        label="E-mail"
        name="email"
        type="email"
        autoComplete="off"
        value={email}
        error={of("email")}
        onChange={(event) => setEmail(event.target.value)}
      />
      <Button kind="primary" type="submit" busy={busy}>
        Sign up
      </Button>
      <p className="sign-up-answer" role="status">
        {answer !== "" && (
          <>
            <strong>Express answered</strong> {answer}
          </>
        )}
        {error !== null && (
          <span className="dead">
            {error.fields.length > 0 ? "Not sent yet." : `Not accepted: ${error.message}`}{" "}
            {error.retryable && "Try again in a moment."}
          </span>
        )}
        {answer === "" && error === null && "No mail leaves this machine: the mailbox on this page catches all."}
      </p>
    </form>
  );
}
