import { z } from 'zod';

import type { ActorSystem } from '../../actors/system.ts';
import type { AgentClient } from '../../clients/agent/client.ts';
import type { FindEntry } from '../../view/entry.ts';
import { addressOf, forward, requireUnmaintained } from '../agent-access.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { toRefusal } from '../refusal.ts';
import { requireEntry, vmidParam } from './servers.ts';

export interface GameDependencies {
  readonly find: FindEntry;
  readonly agents: Pick<AgentClient, 'control'>;
  readonly actors: Pick<ActorSystem, 'read' | 'ask'>;
}

/** The game inside, which is the agent's business. The power of the container is another matter. */
export function gameEndpoints({ find, agents, actors }: GameDependencies): readonly AnyEndpoint[] {
  const done = z.object({ ok: z.literal(true) });
  const base = {
    tag: 'game',
    method: 'post',
    params: z.object({ id: vmidParam }),
    query: nothing,
    replies: { 202: done },
    problems: [
      'unauthenticated',
      'not_found',
      'refused',
      'host_not_running',
      'agent_refused',
      'upstream_failed',
    ],
  } as const;

  /** Nobody is to start it again: a restoration may still owe it that. */
  async function renounce(id: string): Promise<void> {
    const asked = await actors.ask({ kind: 'instance', id }, { type: 'game_stop.requested' });
    if (asked.outcome === 'refused' && asked.reason.code !== 'no_change') throw toRefusal(asked);
  }

  const verbEndpoint = (verb: 'start' | 'stop' | 'restart') =>
    endpoint({
      ...base,
      operationId: `${verb}Game`,
      summary: `Have the agent ${verb} the game`,
      path: `/api/servers/:id/game/${verb}`,
      body: nothing,
      async handle({ params: { id }, principal, signal }) {
        const entry = await requireEntry(find, id, principal);
        // Also of a container that is off, and would be started for the sake of its game.
        if (verb === 'stop') await renounce(entry.id);
        else await requireUnmaintained(actors, entry);
        const ip = addressOf(entry);
        await forward(() => agents.control(ip, verb, { signal }));
        return { status: 202, body: { ok: true } };
      },
    });

  return [verbEndpoint('start'), verbEndpoint('stop'), verbEndpoint('restart')];
}
