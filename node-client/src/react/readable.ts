"use client";
import { useCallback, useSyncExternalStore } from "react";
import type { Readable } from "../live/store.js";

/** Nothing to follow. */
export type Nothing = null | undefined;

export function idle<S>(snapshot: S): Readable<S> {
  return { get: () => snapshot, subscribe: () => () => {} };
}

export function useReadable<S>(source: Readable<S>, onServer: S): S {
  const subscribe = useCallback((listener: () => void) => source.subscribe(listener), [source]);
  const get = useCallback(() => source.get(), [source]);
  return useSyncExternalStore(subscribe, get, () => onServer);
}
