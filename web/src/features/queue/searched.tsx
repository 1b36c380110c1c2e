import type { ReactNode } from "react";
import { count, counted } from "../../format/number.js";
import { Button } from "../../ui/button.js";
import type { Browse } from "./use_browse.js";

/** How far a search has looked, and the way on. */
export function SearchedSoFar({ list }: { list: Browse }): ReactNode {
  if (list.searched === null || list.messages === null) return null;
  return (
    <p className="searched" role="status">
      {counted(list.messages.length, "message")} found in {count(list.searched)} looked through
      {list.more ? "." : ", all there are."}{" "}
      {list.more && (
        <Button className="small" onClick={list.loadMore}>
          Search on
        </Button>
      )}
    </p>
  );
}
