/** Where a subscription takes its messages from. */
import type { Header } from "../protocol/frame.js";
import type { BodyCheck } from "../schema/check.js";

export interface Source {
  /** The queue, or `<stream>/<group>`. */
  readonly name: string;
  /** The fields of the `consume` frame that name it. */
  readonly fields: Header;
  /** What each body must be like before a handler sees it. */
  readonly check: BodyCheck | undefined;
}
