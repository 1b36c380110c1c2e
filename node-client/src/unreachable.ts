import type { Link } from "./link.js";

/**
 * Resolved when there is no connection, and an attempt to make one, begun at once, fails or takes longer than `ms`.
 * The very first attempt of a client may take its time.
 */
export function whenUnreachable(link: Link, ms: number): { readonly promise: Promise<void>; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasTried = false;
  let unlisten = (): void => {};
  const promise = new Promise<void>((resolve) => {
    const look = (): void => {
      clearTimeout(timer);
      if (link.isOpen) hasTried = false;
      else if (hasTried) resolve();
      else {
        hasTried = true;
        if (link.lastError !== undefined) timer = setTimeout(resolve, ms);
        link.retryNow();
      }
    };
    unlisten = link.onStatus(look);
    look();
  });
  return {
    promise,
    stop: () => {
      clearTimeout(timer);
      unlisten();
    },
  };
}
