import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { failedBecause, isLost, velocityError } from './failure.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';

/** A Minecraft server behind the proxy. Names that differ in case only are the same. */
export interface Backend {
  readonly serverName: string;
  readonly address: string;
  readonly port: number;
}

export interface RegisteredServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** `unverifiable`: an older bridge, which does not say what is registered. */
export type Registration = 'registered' | 'missing' | 'elsewhere' | 'unverifiable';

interface CallOptions {
  /** Ends the call earlier than its own deadline; then its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** The plugin inside the Velocity proxy. Disposing closes the connections to it. */
export interface VelocityClient extends AsyncDisposable {
  /**
   * Twice is once. The same name at another address is replaced. On an older bridge its own word
   * is all there is.
   * @throws UpstreamError retryable, if it is not known to have happened.
   */
  register(backend: Backend, options?: CallOptions): Promise<'registered'>;
  /** Twice is once. Throws as `register` does. */
  unregister(serverName: string, options?: CallOptions): Promise<'unregistered' | 'already_gone'>;
  /** `servers` is null for an older bridge, which does not list them. */
  status(options?: CallOptions): Promise<{ readonly servers: readonly RegisteredServer[] | null }>;
  verify(backend: Backend, options?: CallOptions): Promise<Registration>;
  /** Is the bridge there, and does it know us? No answer is an answer, so this does not throw. */
  check(options?: CallOptions): Promise<{ ok: boolean; latencyMs: number; reason?: string }>;
}

export type VelocityClientOptions = TransportOptions;

const STATUS = '/zpack/status';
const statusAnswer = z.object({
  servers: z
    .array(z.object({ name: z.string(), address: z.string(), port: z.int() }))
    .nullish()
    .transform((servers) => servers ?? null),
});

/**
 * Every call to the bridge ends within `timeoutMs`. `register` and `unregister` make several: what
 * is already there is looked at before, and after an answer that was lost.
 */
export function createVelocityClient(options: VelocityClientOptions): VelocityClient {
  const transport = createTransport(options);

  async function status({ signal }: CallOptions = {}) {
    const body = await transport.call({ method: 'GET', path: STATUS, signal });
    const parsed = statusAnswer.safeParse(body);
    if (parsed.success) return parsed.data;
    const cause = new Error(z.prettifyError(parsed.error));
    throw velocityError('answer_unreadable', `GET ${STATUS}`, { cause });
  }

  async function verify(backend: Backend, call?: CallOptions): Promise<Registration> {
    return registrationOf(backend, (await status(call)).servers);
  }

  async function isGone(serverName: string, call?: CallOptions): Promise<boolean> {
    const { servers } = await status(call);
    return servers !== null && !servers.some(({ name }) => isSame(name, serverName));
  }

  async function orderRegistration(backend: Backend, call?: CallOptions): Promise<void> {
    const { serverName, address, port } = backend;
    const body = { server_name: serverName, address, port };
    const order = { path: '/zpack/register', body, signal: call?.signal };
    await send(transport, order, async () => (await verify(backend, call)) === 'registered');
  }

  async function unregister(serverName: string, call?: CallOptions) {
    const body = { server_name: serverName };
    try {
      const order = { path: '/zpack/unregister', body, signal: call?.signal };
      await send(transport, order, () => isGone(serverName, call));
      return 'unregistered';
    } catch (error) {
      if (failedBecause(error, 'not_found')) return 'already_gone';
      throw error;
    }
  }

  return {
    status,
    verify,
    unregister,
    async register(backend, call) {
      if ((await verify(backend, call)) === 'elsewhere') await unregister(backend.serverName, call);
      try {
        // Also if it is registered already: the bridge then reports it to us once more, and the
        // first report may be what was lost.
        await orderRegistration(backend, call);
      } catch (error) {
        // An older bridge lists nothing, and a list ages: the refusal itself is what tells.
        if (!failedBecause(error, 'name_taken')) throw error;
        await unregister(backend.serverName, call);
        await orderRegistration(backend, call);
      }
      return 'registered';
    },
    async check(call) {
      const startMs = performance.now();
      const elapsed = () => performance.now() - startMs;
      try {
        await status(call);
        return { ok: true, latencyMs: elapsed() };
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        return { ok: false, latencyMs: elapsed(), reason: error.reason };
      }
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

/** What a status says of one server: whoever asks about many asks the bridge once. */
export function registrationOf(
  backend: Backend,
  servers: readonly RegisteredServer[] | null,
): Registration {
  if (servers === null) return 'unverifiable';
  const found = servers.find(({ name }) => isSame(name, backend.serverName));
  if (!found) return 'missing';
  const isThere = isSame(found.address, backend.address) && found.port === backend.port;
  return isThere ? 'registered' : 'elsewhere';
}

interface Order {
  readonly path: string;
  readonly body: object;
  readonly signal: AbortSignal | undefined;
}

/** Sends an order once. If its answer is lost, the world says whether it has happened. */
async function send(
  transport: Transport,
  order: Order,
  isDone: () => Promise<boolean>,
): Promise<void> {
  try {
    await transport.call({ method: 'POST', ...order });
  } catch (error) {
    if (!isLost(error)) throw error;
    const done = await isDone().catch(() => false);
    order.signal?.throwIfAborted();
    if (!done) throw error;
  }
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
