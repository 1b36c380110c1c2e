import type { ReactNode } from "react";
import { type PlaceKind, type PlaceText, placeOf } from "../../format/place.js";
import { Field } from "../../ui/field.js";
import { SelectField } from "../../ui/select.js";

const NAMES: readonly (readonly [PlaceKind, string])[] = [
  ["earliest", "the earliest message"],
  ["latest", "the end"],
  ["offset", "an offset"],
  ["time", "a time"],
];

/** Chooses a place in a stream. */
export function PlaceFields({
  label,
  place,
  set,
}: {
  label: string;
  place: PlaceText;
  set: (place: PlaceText) => void;
}): ReactNode {
  const missing = placeOf(place) === null;
  return (
    <div className="field-row">
      <SelectField
        label={label}
        options={NAMES}
        value={place.kind}
        onChange={(event) => set({ ...place, kind: event.target.value as PlaceKind })}
      />
      {place.kind === "offset" && (
        <Field
          label="Offset"
          inputMode="numeric"
          value={place.offset}
          error={missing ? "A whole number from 0." : undefined}
          onChange={(event) => set({ ...place, offset: event.target.value })}
        />
      )}
      {place.kind === "time" && (
        <Field
          label="Time"
          type="datetime-local"
          step={1}
          value={place.time}
          error={missing ? "A date and a time." : undefined}
          onChange={(event) => set({ ...place, time: event.target.value })}
        />
      )}
    </div>
  );
}
