import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Tells the guard process which processes it must end if we cannot. */
export class Guard {
  readonly #input: NodeJS.WritableStream;

  constructor() {
    const child = spawn(process.execPath, [fileURLToPath(new URL("guard.js", import.meta.url))], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    child.stdin.on("error", () => {});
    child.unref();
    this.#input = child.stdin;
  }

  note(pid: number, alive: boolean): void {
    this.#input.write(`${alive ? "+" : "-"}${pid}\n`);
  }

  close(): void {
    this.#input.end();
  }
}
