import { useCallback } from "react";
import { placePath } from "../format/address.js";
import { useAllStreams } from "./streams.js";

/** The page of a queue, stream or group by its name alone, as events and messages give it. */
export function usePlacePath(): (name: string) => string {
  const { streams } = useAllStreams();
  return useCallback((name) => placePath(name, (one) => streams.some((stream) => stream.name === one)), [streams]);
}
