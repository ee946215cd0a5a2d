import { z } from 'zod';

import type { AgentFiles, CallOptions } from '../../clients/agent/files.ts';
import { type ErrorCode, UnavailableError } from '../../errors.ts';
import type { FindEntry } from '../../view/entry.ts';
import { addressOf } from '../agent-access.ts';
import type { Principal } from '../auth/principal.ts';
import { requireEntry, vmidParam } from '../routes/servers.ts';
import type { Transfers } from './transfers.ts';

/** The same, at both of them. */
const PREFIXES = [
  { path: '/api/servers/:id/files', word: '' },
  { path: '/api/game/servers/:id/files', word: 'Game' },
] as const;

export interface FileDependencies {
  readonly find: FindEntry;
  readonly files: AgentFiles;
  readonly transfers: Transfers;
  readonly limits: { readonly uploadBytesMax: number; readonly editBytesMax: number };
  /** Ends what is on its way when this node does. */
  readonly closing: AbortSignal;
}

/** Where the files are, and how to stop asking for them. */
interface Reached extends CallOptions {
  readonly ip: string;
}

interface Who {
  readonly params: { readonly id: number };
  readonly principal: Principal;
  readonly signal: AbortSignal;
}

/** What all of them have in common, at one prefix. */
export interface FileMount {
  readonly path: string;
  readonly name: (verb: string, noun: string) => string;
  readonly base: {
    readonly tag: 'files';
    readonly params: z.ZodObject<{ id: typeof vmidParam }>;
    readonly problems: readonly ErrorCode[];
  };
  /** Ownership first, and then whether there is an agent that can be asked. */
  reach(who: Who): Promise<Reached>;
}

const COMMON: readonly ErrorCode[] = [
  'invalid_input',
  'unauthenticated',
  'not_found',
  'conflict',
  'refused',
  'host_not_running',
  'agent_refused',
  'upstream_failed',
];

export function mountFiles({ find, closing }: FileDependencies): readonly FileMount[] {
  const ending = new AbortController();
  closing.addEventListener('abort', () =>
    ending.abort(new UnavailableError('this node shuts down: go on with another one')),
  );
  return PREFIXES.map(({ path, word }) => ({
    path,
    name: (verb, noun) => `${verb}${word}${noun}`,
    base: { tag: 'files', params: z.object({ id: vmidParam }), problems: COMMON },
    async reach({ params: { id }, principal, signal }) {
      const ip = addressOf(await requireEntry(find, id, principal));
      return { ip, signal: AbortSignal.any([signal, ending.signal]) };
    },
  }));
}
