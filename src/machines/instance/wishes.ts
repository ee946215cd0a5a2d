import type { SnapshotFrom } from 'xstate';

import { instanceMachine } from './machine.ts';
import type { InstanceState } from './status.ts';

type InstanceSnapshot = SnapshotFrom<typeof instanceMachine>;

const WISH = { operationId: '', requestedBy: '', at: 0 };

/** Every wish by the name under which clients see it. Whether it is allowed, the machine says. */
const WISHES = {
  retry: { type: 'retry.requested', ...WISH },
  delete: { type: 'delete.requested', force: false, ...WISH },
  force_delete: { type: 'delete.requested', force: true, ...WISH },
} as const;

export function allowedActions(snapshot: InstanceSnapshot): readonly string[] {
  return Object.entries(WISHES)
    .filter(([, wish]) => snapshot.can(wish))
    .map(([name]) => name);
}

/** Why a wish changes nothing in this state: a stable code, and a sentence for people. */
export function explain(
  snapshot: InstanceSnapshot,
  { type }: { readonly type: string },
): { code: string; message: string } {
  if (snapshot.matches({ provisioning: 'deleting' })) {
    return { code: 'deletion_in_progress', message: 'the container is being deleted' };
  }
  if (type === 'delete.requested') {
    return {
      code: 'container_running',
      message: 'the container is on: stop it first, or delete with force=true',
    };
  }
  if (!snapshot.matches({ provisioning: 'failed' })) {
    return {
      code: 'nothing_to_retry',
      message: 'nothing has failed, so there is nothing to retry',
    };
  }
  return {
    code: 'host_busy',
    message: 'the state of the container is being found out: try again in a moment',
  };
}

/** The same for a state at rest, as its row has it. */
export const allowedActionsOf = ({ value, context }: InstanceState): readonly string[] =>
  allowedActions(instanceMachine.resolveState({ value, context } as never));
