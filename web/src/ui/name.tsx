import { Fragment, type ReactNode } from "react";

/** A queue's or stream's name, which may break behind its dots. */
export function Name({ of }: { of: string }): ReactNode {
  const words = of.split(".");
  return words.map((word, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the words of one name never move
    <Fragment key={at}>
      {at > 0 && (
        <>
          .<wbr />
        </>
      )}
      {word}
    </Fragment>
  ));
}
