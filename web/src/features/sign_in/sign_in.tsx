import { PostroadProvider, useConnection } from "postroad/react";
import { type FormEvent, type ReactNode, useContext, useEffect, useId, useState, useSyncExternalStore } from "react";
import { hasExpired, type Session, SessionContext } from "../../live/session.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";

/** Everything inside is connected with the token of this tab; another token begins it anew. */
export function Connected({ session, children }: { session: Session; children: ReactNode }): ReactNode {
  const held = useSyncExternalStore(session.subscribe, session.get);
  // One key a connection, so that nothing of what another token saw stays on the page.
  const [seen, setSeen] = useState({ held, key: 0 });
  if (seen.held !== held) setSeen({ held, key: seen.key + 1 });
  return (
    <SessionContext value={{ ...held, session }} key={seen.key}>
      <PostroadProvider client={held.client}>
        {children}
        <SignIn />
      </PostroadProvider>
    </SessionContext>
  );
}

/** Asks for a token where the gateway wants one, and again when it refuses the one that it got. */
function SignIn(): ReactNode {
  const { status, error } = useConnection();
  const held = useContext(SessionContext);
  const [later, setLater] = useState(false);
  const refused = status === "closed" && error?.code === "not-authenticated";
  useEffect(() => {
    if (refused) held?.session.forget();
  }, [refused, held]);
  if (held === null) return null;
  return (
    <>
      {refused && later && (
        <p className="signed-out" role="status">
          Nothing is shown without a token. <Button onClick={() => setLater(false)}>Sign in</Button>
        </p>
      )}
      <Dialog title="Sign in" open={refused && !later} close={() => setLater(true)}>
        <Form
          failure={held.token === null ? null : why(held.token, error?.message ?? "")}
          submit={(token) => held.session.use(token)}
        />
      </Dialog>
    </>
  );
}

/** Why a token was refused: what it says of its end itself, else what the gateway said. */
function why(token: string, message: string): string {
  if (hasExpired(token, Date.now())) return "The token has expired.";
  return message.startsWith("The connection was lost") || message === "" ? "The token was refused." : message;
}

function Form({ failure, submit }: { failure: string | null; submit: (token: string) => void }): ReactNode {
  const id = useId();
  const [token, setToken] = useState("");
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (token.trim() !== "") submit(token);
  };
  return (
    <form className="dialog-content" onSubmit={onSubmit}>
      <p>This gateway shows nothing without a token. It is kept in this tab until you close it or sign out.</p>
      <div className="field">
        <label htmlFor={id}>Token</label>
        <input
          id={id}
          type="password"
          className="mono"
          autoComplete="off"
          spellCheck={false}
          aria-invalid={failure !== null || undefined}
          aria-describedby={failure === null ? undefined : `${id}-failure`}
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        {failure !== null && (
          <p id={`${id}-failure`} className="field-error" role="alert">
            {failure}
          </p>
        )}
      </div>
      <div className="dialog-actions">
        <Button kind="primary" type="submit" disabled={token.trim() === ""}>
          Sign in
        </Button>
      </div>
    </form>
  );
}

/** Forgets the token of this tab; nothing where there is none. */
export function SignOut(): ReactNode {
  const held = useContext(SessionContext);
  const { status } = useConnection();
  if (held === null || held.token === null || status === "closed") return null;
  return (
    <button type="button" className="button small sign-out" onClick={() => held.session.use(null)}>
      Sign out
    </button>
  );
}
