/** All services in one process, to try it. They share nothing: each runs by itself as well. */
import "./payments.js";
import "./inventory.js";
import "./notifications.js";
import "./api.js";
