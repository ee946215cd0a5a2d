import { z } from 'zod';

import type { AgentClient } from '../../clients/agent/client.ts';
import { ConflictError, UpstreamError } from '../../errors.ts';
import { describeStatus } from '../../machines/instance/status.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { refuseGame } from '../refusal.ts';
import { requireEntry, vmidParam } from './servers.ts';

const COMMAND_MAX = 1_000;

export interface GameDependencies {
  readonly find: FindEntry;
  readonly agents: Pick<AgentClient, 'control' | 'command'>;
}

/** @throws ConflictError with the reason, when there is no agent that could be asked */
function addressOf({ vmid, state }: FleetEntry): string {
  const { ctype, ip } = state.context;
  if (ctype !== 'game') {
    throw refuseGame('not_a_game', `container ${vmid} is no game server`);
  }
  const { hostStatus } = describeStatus(state);
  if (hostStatus === 'running' && ip !== null) return ip;
  if (hostStatus === 'running') {
    throw refuseGame(
      'address_unknown',
      'the container has just been started: its address is being found out',
      { hostStatus },
    );
  }
  // Before it is in service it is merely not there yet.
  if (state.value['provisioning'] === 'ready' && hostStatus === 'unknown') {
    throw state.value['host'] === 'absent'
      ? refuseGame('container_absent', 'Proxmox does not know the container')
      : refuseGame('host_unknown', 'Proxmox does not say whether the container is on');
  }
  throw new ConflictError(
    `the container is ${hostStatus}: its game can only be reached when it is on`,
    {
      code: 'host_not_running',
      details: { reason: 'host_not_running', hostStatus },
    },
  );
}

/** What the agent says no to is the caller's business; that it cannot be reached is not. */
async function forward(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    if (!(cause instanceof UpstreamError) || cause.reason !== 'agent_refused') throw cause;
    const { agentError } = cause.details;
    throw new ConflictError(`the agent refused: ${agentError ?? 'it does not say why'}`, {
      code: 'agent_refused',
      cause,
      details: cause.details,
    });
  }
}

/** The game inside, which is the agent's business. The power of the container is another matter. */
export function gameEndpoints({ find, agents }: GameDependencies): readonly AnyEndpoint[] {
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

  const verbEndpoint = (verb: 'start' | 'stop' | 'restart') =>
    endpoint({
      ...base,
      operationId: `${verb}Game`,
      summary: `Have the agent ${verb} the game`,
      path: `/api/servers/:id/game/${verb}`,
      body: nothing,
      async handle({ params: { id }, principal, signal }) {
        const ip = addressOf(await requireEntry(find, id, principal));
        await forward(() => agents.control(ip, verb, { signal }));
        return { status: 202, body: { ok: true } };
      },
    });

  return [
    verbEndpoint('start'),
    verbEndpoint('stop'),
    verbEndpoint('restart'),
    endpoint({
      ...base,
      operationId: 'sendCommand',
      summary: "Type a line into the game's console",
      path: '/api/servers/:id/console/command',
      body: z.object({ command: z.string().trim().min(1).max(COMMAND_MAX) }),
      problems: ['invalid_input', ...base.problems],
      async handle({ params: { id }, body: { command }, principal, signal }) {
        const ip = addressOf(await requireEntry(find, id, principal));
        await forward(() => agents.command(ip, command, { signal }));
        return { status: 202, body: { ok: true } };
      },
    }),
  ];
}
