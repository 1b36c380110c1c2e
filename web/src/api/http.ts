/** A request that was answered with a problem, or not at all. */
export class RequestError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly fields: readonly { readonly field: string; readonly detail: string }[];

  constructor(code: string, detail: string, retryable: boolean, fields: RequestError["fields"] = []) {
    super(detail);
    this.name = "RequestError";
    this.code = code;
    this.retryable = retryable;
    this.fields = fields;
  }
}

/** The app's only fetch. @throws RequestError */
async function send<T>(method: string, url: string, body?: unknown, token: string | null = null): Promise<T> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const init: RequestInit = { method, cache: "no-store", headers };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const answer = await fetch(url, init).catch(() => null);
  if (answer === null) throw new RequestError("unavailable", "There was no answer.", true);
  const json: unknown = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw problem(answer.status, json);
  return json as T;
}

function problem(status: number, json: unknown): RequestError {
  const { code, detail, retryable, errors } = (typeof json === "object" && json !== null ? json : {}) as {
    code?: string;
    detail?: string;
    retryable?: boolean;
    errors?: RequestError["fields"];
  };
  return new RequestError(code ?? `http-${status}`, detail ?? `The answer was ${status}.`, retryable === true, errors);
}

export const getJson = <T>(url: string, token: string | null = null): Promise<T> =>
  send<T>("GET", url, undefined, token);
export const postJson = <T>(url: string, body: unknown = {}): Promise<T> => send<T>("POST", url, body);
export const deleteJson = (url: string): Promise<null> => send<null>("DELETE", url);
