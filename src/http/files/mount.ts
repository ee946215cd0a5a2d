import { z } from 'zod';

import type { ActorSystem } from '../../actors/system.ts';
import type { AgentFiles, CallOptions } from '../../clients/agent/files.ts';
import { type ErrorCode, UnavailableError } from '../../errors.ts';
import type { FindEntry } from '../../view/entry.ts';
import { addressOf, requireUnrestored } from '../agent-access.ts';
import type { Principal } from '../auth/principal.ts';
import { requireEntry, vmidParam } from '../routes/servers.ts';
import { askForFiles } from './agent-words.ts';
import type { Transfers } from './transfers.ts';

/** The same, at both of them. */
const PREFIXES = [
  { path: '/api/servers/:id/files', word: '' },
  { path: '/api/game/servers/:id/files', word: 'Game' },
] as const;

export interface FileDependencies {
  readonly find: FindEntry;
  readonly actors: Pick<ActorSystem, 'read'>;
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

type Purpose = 'look' | 'change';

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
  /**
   * Ownership first, and then whether there is an agent that can be asked, and whether what is
   * changed would last: while a backup is restored, it would not.
   */
  reach(who: Who, to: Purpose): Promise<Reached>;
  /** Asks the agent for what it answers at once, in one of the container's places on this node. */
  call<T>(who: Who, to: Purpose, ask: (reached: Reached) => Promise<T>): Promise<T>;
}

const COMMON: readonly ErrorCode[] = [
  'invalid_input',
  'unauthenticated',
  'not_found',
  'conflict',
  'refused',
  'host_not_running',
  'agent_refused',
  'limit_exceeded',
  'upstream_failed',
];

export function mountFiles(dependencies: FileDependencies): readonly FileMount[] {
  const { find, actors, transfers, closing } = dependencies;
  const ending = new AbortController();
  closing.addEventListener('abort', () =>
    ending.abort(new UnavailableError('this node shuts down: go on with another one')),
  );
  async function reach({ params: { id }, principal, signal }: Who, to: Purpose) {
    const entry = await requireEntry(find, id, principal);
    const ip = addressOf(entry);
    if (to === 'change') await requireUnrestored(actors, entry);
    return { ip, signal: AbortSignal.any([signal, ending.signal]) };
  }
  return PREFIXES.map(({ path, word }) => ({
    path,
    name: (verb, noun) => `${verb}${word}${noun}`,
    base: { tag: 'files', params: z.object({ id: vmidParam }), problems: COMMON },
    reach,
    async call(who, to, ask) {
      const reached = await reach(who, to);
      using _ = transfers.begin(who.params.id, 'call');
      return await askForFiles(() => ask(reached));
    },
  }));
}
