import type { ReactNode } from "react";
import { Clock } from "../../ui/time.js";
import type { Mine } from "./mine.js";

interface Props {
  readonly list: readonly Mine[];
  readonly shown: string | null;
  readonly show: (id: string) => void;
}

/** The visitor's last sign-ups; one of them is on the road. */
export function YoursSoFar({ list, shown, show }: Props): ReactNode {
  if (list.length < 2) return null;
  return (
    <section className="yours" aria-label="Yours so far">
      <h3>Yours so far</h3>
      <ul>
        {list.map((one) => (
          <li key={one.id}>
            <button type="button" aria-pressed={one.id === shown} onClick={() => show(one.id)}>
              <span>{one.name}</span>
              <span className="muted">
                <Clock at={one.acceptedAt} />
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
