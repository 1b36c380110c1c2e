import { type FormEvent, type ReactNode, useId, useState } from "react";
import { SEARCHED, type Search, type Searched, searchFields } from "./search.js";

const HINT: Record<Searched, string> = { body: "text in the body", header: "region: eu", key: "the whole key" };

interface Props {
  readonly search: Search | null;
  readonly set: (search: Search | null) => void;
  /** Why this engine cannot search. */
  readonly off: string | null;
}

/** Looks for messages: what is typed is asked for by Enter, since every search reads bodies from disk. */
export function SearchBox({ search, set, off }: Props): ReactNode {
  const id = useId();
  const [within, setWithin] = useState<Searched>(search?.within ?? "body");
  const [text, setText] = useState(search?.text ?? "");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const next = { within, text };
    set(searchFields(next) === null ? null : next);
  };
  return (
    <form className="search-box" aria-label="Search" onSubmit={submit}>
      <label className="visually-hidden" htmlFor={`${id}-in`}>
        Search in
      </label>
      <select
        id={`${id}-in`}
        className="select"
        disabled={off !== null}
        title={off ?? undefined}
        value={within}
        onChange={(event) => setWithin(event.target.value as Searched)}
      >
        {SEARCHED.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <label className="visually-hidden" htmlFor={id}>
        Search messages
      </label>
      <input
        id={id}
        className="input"
        type="search"
        data-search
        disabled={off !== null}
        title={off ?? undefined}
        aria-describedby={off === null ? undefined : `${id}-off`}
        placeholder={off === null ? HINT[within] : "no search here"}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value === "") set(null);
        }}
      />
      {off !== null && (
        <span id={`${id}-off`} className="visually-hidden">
          {off}
        </span>
      )}
    </form>
  );
}
