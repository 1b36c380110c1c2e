import type { ErrorRequestHandler, Response } from "express";

/** Which field is wrong and why, in words for the person who filled in the form. */
export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

/** A typed refusal: `code` is the API, `detail` is for people. Rendered as RFC 9457. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly errors: readonly FieldError[];

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { retryable?: boolean; errors?: readonly FieldError[] } = {},
  ) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.retryable = more.retryable ?? false;
    this.errors = more.errors ?? [];
  }
}

/** Sends one problem document. */
export function sendProblem(res: Response, problem: Problem): void {
  res
    .status(problem.status)
    .type("application/problem+json")
    .send(
      JSON.stringify({
        type: "about:blank",
        title: problem.code,
        status: problem.status,
        code: problem.code,
        detail: problem.message,
        retryable: problem.retryable,
        ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
      }),
    );
}

/**
 * Turns whatever a handler threw into a problem document: our own as they are, the client's typed errors as
 * 503 with their code (the queue could not take the message), the rest as `internal` without details.
 */
export const problems: ErrorRequestHandler = (error: unknown, _req, res, _next) => {
  if (error instanceof Problem) return sendProblem(res, error);
  const { code, status, type } = error as { code?: unknown; status?: unknown; type?: unknown };
  if (type === "entity.parse.failed" || status === 400) {
    return sendProblem(res, new Problem(400, "invalid-request", "The body is not JSON."));
  }
  if (typeof code === "string" && /^[a-z]+(-[a-z]+)+$|^unavailable$/.test(code)) {
    const retryable = (error as { retryable?: unknown }).retryable === true;
    return sendProblem(res, new Problem(503, code, "The queue did not take the message.", { retryable }));
  }
  console.error(error);
  sendProblem(res, new Problem(500, "internal", "Something went wrong here."));
};
