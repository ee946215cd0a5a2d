import { z } from 'zod';

import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { endpoint, nothing } from '../../src/http/endpoint.ts';
import { createHttpApp, listen } from '../../src/http/server.ts';
import { createApiTokens } from '../../src/storage/api-tokens.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type CommitCounts, deliver, type NodeOptions, recall, startNode } from './node.ts';
import { signIn } from './sign-in.ts';

/**
 * An API node in a process of its own, with one endpoint more than the API has: any event, to
 * any actor, answered when it is durable. All else of a request's way is the real one.
 */

const USERS = 100;
const SECRET = 'bench-secret-bench-secret-bench-secret';

export type ServerCommand =
  | { readonly do: 'report' | 'end' }
  | { readonly do: 'recall'; readonly ids: readonly string[] };

export interface ServerReport {
  readonly cpu: NodeJS.CpuUsage;
  readonly counts: CommitCounts;
}

export interface ServerHello {
  readonly url: string;
  readonly tokens: readonly string[];
}

const eventBody = z.object({
  event: z.looseObject({ type: z.string() }),
  completes: z.string().optional(),
});

async function main(options: NodeOptions): Promise<void> {
  const node = await startNode(options);
  const { authenticate } = createAuthentication({
    tokens: createTokens({
      ...{ secret: SECRET, oldSecrets: [], issuer: 'zpack', now: Date.now },
      ...{ accessTtlS: 1, refreshTtlS: 1, ideTtlS: 1, ideCookieTtlS: 1 },
    }),
    sessions: createSessions(node.database),
    apiTokens: createApiTokens(node.database),
    now: Date.now,
  });
  const postEvent = endpoint({
    operationId: 'postEvent',
    summary: 'Any event',
    tag: 'bench',
    method: 'post',
    path: '/api/bench/:id/events',
    params: z.object({ id: z.string() }),
    query: nothing,
    body: eventBody,
    replies: { 200: z.object({ ok: z.literal(true), version: z.number().nullable() }) },
    problems: ['unauthenticated', 'not_found', 'refused'],
    async handle({ params: { id }, body: { event, completes } }) {
      const sending = { id, event, ...(completes !== undefined && { completes }) };
      return { status: 200, body: { ok: true, version: await deliver(node.actors, sending) } };
    },
  });
  const app = createHttpApp({
    endpoints: [postEvent],
    authenticate,
    corsOrigins: [],
    problems: '',
    // One line per request, as in production; the parent has connected our output to nothing.
    logger: createLogger('info'),
  });
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  const users = Array.from({ length: USERS }, (_, user) => `c-${user}`);
  const tokens = await signIn(node.database, { secret: SECRET, users, role: 'user' });
  process.on('message', (command: ServerCommand) => void obey(command));
  async function obey(command: ServerCommand): Promise<void> {
    if (command.do === 'end') {
      await listening[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
      return process.disconnect();
    }
    if (command.do === 'recall') await recall(node.actors, command.ids);
    process.send?.({ cpu: process.cpuUsage(), counts: node.counts() } satisfies ServerReport);
  }
  const hello = { url: listening.url, tokens };
  process.send?.(hello satisfies ServerHello);
}

await main(JSON.parse(process.argv[2] ?? '{}') as NodeOptions);
