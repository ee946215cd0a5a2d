import type { Endpoints, Problem, Session } from './schema.ts';
import { tokens } from './tokens.ts';

/** What the service answered instead of what was asked for, in its own words. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string | null;
  readonly code: string;

  constructor({ status, title, detail, error }: Omit<Problem, 'type' | 'instance'>) {
    super(detail ?? title);
    this.status = status;
    this.title = title;
    this.detail = detail ?? null;
    this.code = error;
  }
}

type Part<Name extends string, T> = [T] extends [undefined]
  ? { readonly [N in Name]?: undefined }
  : Record<never, never> extends T
    ? { readonly [N in Name]?: T }
    : { readonly [N in Name]: T };

type Input<K extends keyof Endpoints> = Part<'path', Endpoints[K]['path']> &
  Part<'query', Endpoints[K]['query']> &
  Part<'body', Endpoints[K]['body']> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  };

interface AnyInput {
  readonly path?: Readonly<Record<string, string | number>> | undefined;
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * One operation of the API, by its method and path.
 * @throws ApiProblem also when nobody answers
 */
export async function call<K extends keyof Endpoints>(
  endpoint: K,
  input: Input<K>,
): Promise<Endpoints[K]['reply']> {
  const [method = 'GET', path = ''] = endpoint.split(' ');
  const { body, headers = {}, signal, ...where } = input as AnyInput;
  const isBytes = body instanceof Blob;
  const response = await send(addressOf(path, where), {
    method,
    headers: {
      ...(body !== undefined && {
        'content-type': isBytes ? 'application/octet-stream' : 'application/json',
      }),
      ...headers,
    },
    ...(body !== undefined && { body: isBytes ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  return (await response.json()) as Endpoints[K]['reply'];
}

function addressOf(path: string, { path: places = {}, query = {} }: AnyInput): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(places[name])),
  );
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(asked.map(([name, value]) => [name, String(value)]));
  return asked.length === 0 ? filled : `${filled}?${search}`;
}

const ended = new Set<() => void>();

/** Hears that nobody is signed in any more, whoever ended it. */
export function onSignedOut(listener: () => void): void {
  ended.add(listener);
}

/** With the token of the session, which is renewed once if it is too old. */
export async function send(address: string, init: RequestInit): Promise<Response> {
  if (tokens.access() === null && tokens.refresh() !== null) await renew();
  const first = await attempt(address, init);
  if (first.status !== 401 || tokens.refresh() === null) return accept(first);
  await renew();
  return accept(await attempt(address, init));
}

async function attempt(address: string, init: RequestInit): Promise<Response> {
  const token = tokens.access();
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  try {
    return await fetch(address, { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiProblem({
      ...{ status: 0, error: 'unreachable', title: 'The service does not answer' },
      detail: 'look at your connection, or try again in a moment',
    });
  }
}

async function accept(response: Response): Promise<Response> {
  if (response.ok) return response;
  const isProblem = /problem\+json/.test(response.headers.get('content-type') ?? '');
  if (isProblem) throw new ApiProblem((await response.json()) as Problem);
  const { status, statusText } = response;
  throw new ApiProblem({ status, error: 'unknown', title: `${status} ${statusText}` });
}

let renewing: Promise<void> | null = null;

/** A refresh token is good for one use: whoever needs a new one waits for the same answer. */
function renew(): Promise<void> {
  renewing ??= exchange().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function exchange(): Promise<void> {
  const response = await attempt('/api/auth/refresh', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refreshToken: tokens.refresh() }),
  });
  if (response.status === 400 || response.status === 401) {
    tokens.forget();
    for (const listener of ended) listener();
  }
  tokens.keep((await (await accept(response)).json()) as Session);
}
