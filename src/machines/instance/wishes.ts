import type { SnapshotFrom } from 'xstate';

import { instanceMachine } from './machine.ts';
import type { InstanceState } from './status.ts';

type InstanceSnapshot = SnapshotFrom<typeof instanceMachine>;

const WISH = { operationId: '', requestedBy: '', at: 0 };

/** Every wish by the name under which clients see it. Whether it is allowed, the machine says. */
const WISHES = {
  start: { type: 'start.requested', ...WISH },
  stop: { type: 'stop.requested', ...WISH },
  restart: { type: 'restart.requested', ...WISH },
  retry: { type: 'retry.requested', ...WISH },
  delete: { type: 'delete.requested', force: false, ...WISH },
  force_delete: { type: 'delete.requested', force: true, ...WISH },
  backup: { type: 'backup.requested', ...WISH },
  restore: { type: 'restore.requested', backupId: '', ...WISH },
  verify_backup: { type: 'verify.requested', backupId: '', ...WISH },
  delete_backup: { type: 'backup_deletion.requested', backupId: '', ...WISH },
} as const;

export type WishName = keyof typeof WISHES;
export const WISH_NAMES = Object.keys(WISHES) as readonly WishName[];

export const allowedActions = (snapshot: InstanceSnapshot): readonly WishName[] =>
  WISH_NAMES.filter((name) => snapshot.can(WISHES[name]));

interface Refusal {
  readonly message: string;
  /** What would make the wish possible. */
  readonly lift: string;
}

const REFUSALS = {
  deletion_in_progress: {
    message: 'the container is being deleted',
    lift: 'nothing: a deletion is final',
  },
  maintenance_in_progress: {
    message: 'a backup is being made, checked, deleted or restored',
    lift: 'wait until that has ended; it has a deadline',
  },
  agent_unknown: {
    message: 'it is no game server whose address is known',
    lift: 'wait until its address is known',
  },
  game_start_owed: {
    message: 'a restoration has stopped the game, and it is about to be started again',
    lift: 'wait a moment; or stop the game: then nobody starts it, nor its container',
  },
  recovery_in_progress: {
    message: 'the game has died, and is being started again',
    lift: 'wait until that has ended; it has a deadline',
  },
  suspended: {
    message: 'the account of its owner is suspended: a payment is due',
    lift: 'pay; what ran before is started by itself',
  },
  no_change: { message: 'it is so already', lift: 'nothing needs to be done' },
  provisioning_in_progress: {
    message: 'the container is still being made',
    lift: 'wait until it is ready, or delete it',
  },
  provisioning_failed: {
    message: 'the container could not be made ready',
    lift: 'retry, or delete it',
  },
  host_operation_in_progress: {
    message: 'an operation on its power is running',
    lift: 'wait until that has ended; it has a deadline',
  },
  host_unknown: {
    message: 'Proxmox does not say whether the container is on',
    lift: 'Proxmox or the node of the container has to answer again; we keep asking',
  },
  container_absent: {
    message: 'Proxmox does not know the container',
    lift: 'bring it back on Proxmox, or delete it',
  },
  host_not_running: { message: 'the container is off', lift: 'start it instead' },
  container_running: {
    message: 'the container is on: stop it first, or delete with force=true',
    lift: 'stop it, or use force',
  },
  unpublish_in_progress: {
    message: 'it is being removed from where it was published',
    lift: 'wait until that has ended; what does not let go of it is asked again',
  },
  nothing_to_publish: {
    message: 'nothing is configured by which it could be reached',
    lift: 'configure a third party of the edge for its kind',
  },
  nothing_to_retry: { message: 'nothing has failed', lift: 'nothing needs to be done' },
  host_busy: {
    message: 'the state of the container is being found out: try again in a moment',
    lift: 'wait a moment',
  },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

const ACHIEVED: Readonly<Record<string, 'running' | 'stopped'>> = {
  'start.requested': 'running',
  'stop.requested': 'stopped',
};

const ON_BACKUPS: readonly string[] = [
  'backup.requested',
  'restore.requested',
  'verify.requested',
  'backup_deletion.requested',
];
const NEEDS_ENTITLEMENT = new Set<string>([
  ...['start.requested', 'restart.requested', 'retry.requested'],
  ...ON_BACKUPS,
]);
/** What a backup in the making does not stand in the way of. */
const IN_ANY_CASE = new Set(['publish.requested', 'unpublish.requested', 'retry.requested']);

function refusalOf(snapshot: InstanceSnapshot, type: string): RefusalCode {
  const { host } = snapshot.value;
  if (snapshot.matches({ provisioning: 'deleting' })) return 'deletion_in_progress';
  if (type === 'delete.requested') return 'container_running';
  if (snapshot.context.maintenance.operation?.state === 'running' && !IN_ANY_CASE.has(type)) {
    return 'maintenance_in_progress';
  }
  if (type === 'game_stop.requested') return 'no_change';
  if (NEEDS_ENTITLEMENT.has(type) && snapshot.context.entitlement.suspendedAt !== null) {
    return 'suspended';
  }
  if (type === 'retry.requested') {
    return snapshot.matches({ provisioning: 'failed' }) ? 'host_busy' : 'nothing_to_retry';
  }
  // What could not be made ready can be turned off, and nothing else.
  if (snapshot.matches({ provisioning: 'failed' })) {
    if (type !== 'stop.requested') return 'provisioning_failed';
  } else if (!snapshot.matches({ provisioning: 'ready' })) return 'provisioning_in_progress';
  if (type === 'publish.requested') return 'nothing_to_publish';
  if (type === 'unpublish.requested') {
    return snapshot.matches({ edge: 'unpublishing' }) ? 'unpublish_in_progress' : 'no_change';
  }
  // Off it is, and it is not to stay so.
  const isOwed = snapshot.matches({ maintenance: { owing: 'unpowered' } });
  if (type === 'stop.requested' && host === 'stopped' && isOwed) return 'game_start_owed';
  if (ON_BACKUPS.includes(type) && host === 'running') {
    if (snapshot.matches({ maintenance: { owing: 'performing' } })) return 'game_start_owed';
    return snapshot.context.ops.agent === null ? 'agent_unknown' : 'recovery_in_progress';
  }
  if (host === ACHIEVED[type]) return 'no_change';
  if (host === 'absent') return 'container_absent';
  if (host === 'stopped') return 'host_not_running';
  return snapshot.matches({ host: 'unknown' }) ? 'host_unknown' : 'host_operation_in_progress';
}

/** Why a wish changes nothing in this state: a stable code, and a sentence for people. */
export function explain(
  snapshot: InstanceSnapshot,
  { type }: { readonly type: string },
): { code: RefusalCode; message: string } {
  const code = refusalOf(snapshot, type);
  return { code, message: REFUSALS[code].message };
}

export interface ExplainedWish {
  readonly wish: WishName;
  readonly isAllowed: boolean;
  readonly refusal: (Refusal & { readonly code: RefusalCode }) | null;
}

/** Every wish: allowed, or what refuses it and what would lift that. */
export function explainWishes(state: InstanceState): readonly ExplainedWish[] {
  const snapshot = restored(state);
  return WISH_NAMES.map((wish) => {
    const event = WISHES[wish];
    if (snapshot.can(event)) return { wish, isAllowed: true, refusal: null };
    const code = refusalOf(snapshot, event.type);
    return { wish, isAllowed: false, refusal: { code, ...REFUSALS[code] } };
  });
}

const restored = ({ value, context }: InstanceState): InstanceSnapshot =>
  instanceMachine.resolveState({ value, context } as never);

/** The wishes that a state at rest would accept, as its row has it. */
export const allowedActionsOf = (state: InstanceState): readonly WishName[] =>
  allowedActions(restored(state));
