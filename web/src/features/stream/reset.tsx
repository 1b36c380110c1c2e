import { type FormEvent, type ReactNode, useState } from "react";
import { groupName } from "../../format/address.js";
import { count, counted } from "../../format/number.js";
import { localTime, type PlaceText, placeName, placeOf } from "../../format/place.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import type { GroupStats, StartFrom } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Failure } from "../../ui/confirm.js";
import { Dialog } from "../../ui/dialog.js";
import { PlaceFields } from "./place_fields.js";

interface Props {
  readonly stream: string;
  readonly group: GroupStats | null;
  readonly close: () => void;
}

/** Puts a group elsewhere in its stream: first where, then a question that names both. */
export function Reset({ stream, group, close }: Props): ReactNode {
  const name = group === null ? "" : groupName(group.name);
  return (
    <Dialog title={`Reset ${name}`} open={group !== null} close={close}>
      {group !== null && <Form stream={stream} name={name} group={group} close={close} />}
    </Dialog>
  );
}

function Form({ stream, name, group, close }: Props & { name: string; group: GroupStats }): ReactNode {
  const mq = useClient();
  const act = useAct("manage", stream);
  const [place, setPlace] = useState<PlaceText>(() => ({
    kind: "earliest",
    offset: String(group.committed),
    time: localTime(Date.now() - 3_600_000),
  }));
  const [target, setTarget] = useState<StartFrom | null>(null);
  const chosen = placeOf(place);
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    setTarget(chosen);
  };
  const reset = (to: StartFrom): void => {
    void act
      .run(() => mq.stream(stream).group(name).reset(to), {
        done: ({ offset }) => `${name} goes on from offset ${count(offset)}.`,
      })
      .then((ok) => ok && close());
  };
  if (target === null)
    return (
      <form className="dialog-content" onSubmit={ask}>
        <p>
          <code>{name}</code> has committed offset {count(group.committed)} and is {count(group.lag)} behind.
        </p>
        <PlaceFields label="Go on from" place={place} set={setPlace} />
        <div className="dialog-actions">
          <Button onClick={close}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={chosen === null}>
            Continue
          </Button>
        </div>
      </form>
    );
  return (
    <div className="dialog-content">
      <p>
        <code>{name}</code> of <code>{stream}</code> goes on from <strong>{placeName(target)}</strong>. What it settled
        after that comes again; what lies before it is skipped.{" "}
        {group.leased > 0 && `${counted(group.leased, "lease")} will be revoked. `}Attempts are counted anew.
      </p>
      <Failure text={act.failure} />
      <div className="dialog-actions">
        <Button onClick={() => setTarget(null)}>Back</Button>
        <Button kind="danger" busy={act.busy} refused={act.refused} onClick={() => reset(target)}>
          Reset {name} to {placeName(target)}
        </Button>
      </div>
    </div>
  );
}
