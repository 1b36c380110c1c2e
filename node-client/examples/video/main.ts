/** Site and worker in one process, to try it. */
import "./worker.js";
import "./site.js";
