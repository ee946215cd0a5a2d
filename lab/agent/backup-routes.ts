import { z } from 'zod';

import type { Agent } from './agent.ts';
import { BackupRefusal, type Backups } from './backups.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const order = z.object({ name: z.string().min(1).max(200).optional() }).nullish();
const RESTS: readonly unknown[] = ['stopped', 'idle', 'error', 'crashed'];

/** null: it is about something else. */
export async function answerBackups(
  { agent, backups }: { readonly agent: Agent; readonly backups: Backups },
  operation: string,
  url: URL,
  readBody: () => Promise<unknown>,
): Promise<Answer | null> {
  const id = url.searchParams.get('id') ?? '';
  const ok = { status: 200, body: { ok: true } };
  try {
    switch (operation) {
      case 'GET /game/backups':
        return { status: 200, body: { backups: backups.list() } };
      case 'POST /game/backups': {
        const body = order.parse(await readBody());
        const name = body?.name ?? `manual-${new Date().toISOString()}`;
        return { status: 201, body: { ok: true, backup: await backups.create(name) } };
      }
      case 'POST /game/backups/verify':
        await backups.verify(id);
        return ok;
      case 'POST /game/backups/restore':
        if (!RESTS.includes(agent.status()['state'])) throw new BackupRefusal(409, 'game_running');
        await backups.restore(id);
        return ok;
    }
    const named = /^DELETE \/game\/backups\/([^/]+)$/.exec(operation)?.[1];
    if (named === undefined) return null;
    await backups.remove(decodeURIComponent(named));
    return ok;
  } catch (error) {
    if (!(error instanceof BackupRefusal)) throw error;
    return { status: error.status, body: { error: error.message } };
  }
}
