/** One member as a process of its own. */
import { count } from "./member.js";

await count(`counter-${process.pid}`);
