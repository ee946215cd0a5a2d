import type { ActorSystem } from '../actors/system.ts';
import { ConflictError, UpstreamError } from '../errors.ts';
import { describeStatus } from '../machines/instance/status.ts';
import type { InstanceContext } from '../machines/instance/types.ts';
import type { FleetEntry } from '../view/fleet.ts';
import { refuseGame } from './refusal.ts';

/** @throws ConflictError with the reason, when there is no agent that could be asked */
export function addressOf(entry: FleetEntry): string {
  if (entry.state.context.ctype !== 'game') {
    throw refuseGame('not_a_game', `container ${entry.vmid} is no game server`);
  }
  return addressWhenOn(entry, 'its game');
}

/** The same of a dev container. @throws ConflictError */
export function devAddressOf(entry: FleetEntry): string {
  requireDev(entry);
  return addressWhenOn(entry, 'its IDE');
}

/** @throws ConflictError */
export function requireDev({ vmid, state }: FleetEntry): void {
  if (state.context.ctype === 'dev') return;
  throw refuseGame('not_a_dev_container', `container ${vmid} is a game server and has no IDE`);
}

function addressWhenOn({ state }: FleetEntry, what: string): string {
  const { ip } = state.context;
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
    `the container is ${hostStatus}: ${what} can only be reached when it is on`,
    {
      code: 'host_not_running',
      details: { reason: 'host_not_running', hostStatus },
    },
  );
}

/**
 * By what is stored now: this node's view may not have heard yet that it has ended.
 * @throws ConflictError while its backups are worked on: nobody else stops or starts the game
 */
export async function requireUnmaintained(
  actors: Pick<ActorSystem, 'read'>,
  { id }: FleetEntry,
): Promise<void> {
  const { snapshot } = await actors.read({ kind: 'instance', id });
  const { maintenance } = snapshot.context as InstanceContext;
  if (maintenance.operation?.state !== 'running') return;
  throw refuseGame('maintenance_in_progress', 'a backup is being made, checked or restored');
}

/**
 * What a restoration replaces is not changed meanwhile. Whoever slips in between this look and its
 * beginning came before it, and its agent refuses whoever comes later.
 * @throws ConflictError while a backup is being restored
 */
export async function requireUnrestored(
  actors: Pick<ActorSystem, 'read'>,
  entry: FleetEntry,
): Promise<void> {
  const { operation } = entry.state.context.maintenance;
  if (operation?.state === 'running' && operation.kind === 'restore') {
    await requireUnmaintained(actors, entry);
  }
}

/** What the agent says no to is the caller's business; that it cannot be reached is not. */
export async function forward<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (!(cause instanceof UpstreamError) || cause.reason !== 'agent_refused') throw cause;
    throw agentRefusal(cause);
  }
}

export function agentRefusal(cause: UpstreamError): ConflictError {
  const { agentError } = cause.details;
  return new ConflictError(`the agent refused: ${agentError ?? 'it does not say why'}`, {
    code: 'agent_refused',
    cause,
    details: cause.details,
  });
}
