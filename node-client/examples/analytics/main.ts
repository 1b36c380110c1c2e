/** The page and three members, to try it; then run generate.ts. */
import { count } from "./member.js";
import "./site.js";

await Promise.all(["counter-1", "counter-2", "counter-3"].map(count));
