import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';

import type { Agent } from './agent.ts';
import { BackupRefusal } from './backup-refusal.ts';
import { firesOnce } from './backup-steps.ts';
import type { Backups } from './backups.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const order = z.object({ name: z.string().min(1).max(200).optional() }).nullish();
const RESTS: readonly unknown[] = ['stopped', 'idle', 'error', 'crashed'];
const OF_BACKUPS = /^(GET|POST|DELETE) \/game\/backups(?:\/([^/]+))?$/;

interface Parts {
  readonly root: string;
  readonly agent: Agent;
  readonly backups: Backups;
}

/**
 * Orders are known by their `Idempotency-Key`: one that comes again while the first is being worked
 * on waits for its end. null: it is about something else.
 */
export async function answerBackups(
  parts: Parts,
  request: IncomingMessage,
  readBody: () => Promise<unknown>,
): Promise<Answer | null> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const [, method, last] = OF_BACKUPS.exec(`${request.method} ${pathname}`) ?? [];
  if (method === undefined) return null;
  const verb = last === undefined ? method : `${method} ${method === 'DELETE' ? '' : last}`.trim();
  const id = method === 'DELETE' ? decodeURIComponent(last ?? '') : (searchParams.get('id') ?? '');
  try {
    const answer = await perform(parts, verb, id, { request, readBody });
    if (firesOnce(parts.root, 'loseAnswer', verb)) request.socket.destroy();
    return answer;
  } catch (error) {
    if (!(error instanceof BackupRefusal)) throw error;
    return { status: error.status, body: { error: error.code, details: error.message } };
  }
}

async function perform(
  { agent, backups }: Parts,
  verb: string,
  id: string,
  { request, readBody }: { request: IncomingMessage; readBody: () => Promise<unknown> },
): Promise<Answer> {
  const key = `${verb} ${request.headers['idempotency-key'] ?? randomUUID()}`;
  const ok = { status: 200, body: { ok: true } };
  switch (verb) {
    case 'GET':
      return { status: 200, body: { backups: await backups.list() } };
    case 'POST': {
      const name = order.parse(await readBody())?.name ?? `manual-${new Date().toISOString()}`;
      const backup = await backups.alone(key, () => backups.pack(name));
      return { status: 201, body: { ok: true, backup } };
    }
    case 'POST verify':
      await backups.alone(key, () => backups.check(id));
      return ok;
    case 'POST restore':
      if (!RESTS.includes(agent.status()['state'])) {
        throw new BackupRefusal(409, 'game_running', 'the game has to be stopped first');
      }
      await backups.alone(key, () => backups.unpack(id));
      return ok;
    case 'DELETE':
      await backups.alone(key, () => backups.remove(id));
      return ok;
    default:
      return { status: 404, body: { error: 'not_found' } };
  }
}
