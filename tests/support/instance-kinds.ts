import type { AnyStateMachine } from 'xstate';

import { type InstanceSnapshot, instanceModel } from './instance-model.ts';
import { explore } from './model.ts';

/** What decides which wishes are accepted: the value, and the calls that are in flight. */
export const kindOf = ({ value, context: { ops } }: InstanceSnapshot): string =>
  JSON.stringify([value, ops.host?.kind, ops.agent?.kind]);

/**
 * One state of each kind that has not ended. What else decides behaviour is not told apart, which
 * is 35 times quicker; tests/machines/instance-model.test.ts proves that no kind is missed.
 */
export function everyKind(machine: AnyStateMachine): readonly InstanceSnapshot[] {
  const { nodes } = explore({ ...instanceModel(machine), key: kindOf });
  const snapshots = [...nodes.values()].map(({ snapshot }) => snapshot);
  return snapshots.filter((snapshot) => !snapshot.hasTag('archived'));
}
