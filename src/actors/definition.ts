import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';

import type { ActorEvent } from './address.ts';
import type { OperationRecord, StoredSnapshot } from './store.ts';

/** What the runtime needs to know of a kind of actor, beside its machine. */
export interface ActorDefinition<Snapshot extends AnyMachineSnapshot = AnyMachineSnapshot> {
  readonly machine: AnyStateMachine;
  /** Raised whenever stored snapshots of an older shape would not do any more. */
  readonly machineVersion: number;
  /** From version n to n + 1. A version without an entry is refused, never guessed at. */
  readonly migrations: Readonly<Record<number, (snapshot: StoredSnapshot) => StoredSnapshot>>;
  /** Why a wish is refused in this state: a stable code, and a sentence for people. */
  explain(snapshot: Snapshot, event: ActorEvent): { code: string; message: string };
  /** The operations that a step begins, moves or ends. `before`: null at birth. */
  operations?(
    before: Snapshot['context'] | null,
    after: Snapshot['context'],
  ): readonly OperationRecord[];
  /** The wishes that would be accepted now. */
  allowedActions(snapshot: Snapshot): readonly string[];
}
