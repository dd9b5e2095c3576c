// How does the dashboard ask the server? With `fetch`, the token in a header, and errors that say what
// to do. The token is kept for this tab alone: never in an address, a cookie or a file.

const TOKEN_KEY = "tidegate.token";

/** Why an answer is not what was asked for. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** The server's word for it. */
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }

  get needsToken(): boolean {
    return this.status === 401;
  }
}

let token = readToken();
const tokenListeners = new Set<() => void>();

/** Storage can be forbidden; then the token lives as long as the page. */
function readToken(): string | null {
  try {
    return window.sessionStorage.getItem(TOKEN_KEY);
  } catch {
    return null;
  }
}

export function hasToken(): boolean {
  return token !== null;
}

/** Takes a token for this tab, or forgets it. */
export function setToken(next: string | null): void {
  token = next;
  try {
    if (next === null) window.sessionStorage.removeItem(TOKEN_KEY);
    else window.sessionStorage.setItem(TOKEN_KEY, next);
  } catch {
    // It is in memory; nothing else was promised.
  }
  for (const listener of tokenListeners) listener();
}

export function onToken(listener: () => void): () => void {
  tokenListeners.add(listener);
  return () => tokenListeners.delete(listener);
}

/** Sends a request with the token and turns refusals into errors. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The server does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { error } = JSON.parse(text) as { error?: { code?: string; message?: string } };
    if (error?.message) return new ApiError(response.status, error.code ?? "", error.message);
  } catch {
    // Not JSON: a proxy's page, perhaps.
  }
  return new ApiError(
    response.status,
    "",
    `The server answered ${response.status} ${response.statusText}.`,
  );
}

/** An answer's JSON. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

/** Sends JSON and reads JSON. */
export async function sendJson<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const response = await request(path, init);
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}

/** A query of what is given; empty values are left out. */
export function query(
  params: Readonly<Record<string, string | number | boolean | null | undefined>>,
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "" && value !== false)
      search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}
