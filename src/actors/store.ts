import type { ActorEvent } from './address.ts';

/** A state at rest, as JSON. Restored by the machine before every step. */
export interface StoredSnapshot {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
  /** When each region last changed its state, Unix ms. */
  readonly since: Readonly<Record<string, number>>;
}

export interface Stored {
  readonly id: string;
  readonly version: number;
  readonly machineVersion: number;
  readonly snapshot: StoredSnapshot;
}

/** What a worker is asked to do. `key` is `<actor id>/<version>/<index>`, the same on every node. */
export interface Effect {
  readonly key: string;
  readonly kind: string;
  readonly params: unknown;
}

export interface ArmedTimer {
  readonly timerId: string;
  readonly delayMs: number;
  readonly event: ActorEvent;
}

export interface TimerRef {
  readonly timerId: string;
  /** The version of the step that armed it: a timer of an earlier visit is not this one. */
  readonly generation: number;
}

/** What can be followed by its id long after: begun, moved or ended by the step that has it. */
export interface OperationRecord {
  readonly id: string;
  /** Unix ms. */
  readonly acceptedAt: number;
}

/** The answer that a request gets again if it is sent again under the same key. */
export interface KeyedAnswer {
  readonly userId: string;
  readonly key: string;
  /** A digest of what was asked: the same key must not stand for something else. */
  readonly fingerprint: string;
  readonly status: number;
  readonly response: unknown;
}

/** One step of one actor. All of it is written, or none. */
export interface Step extends Stored {
  readonly eventId: string;
  readonly event: ActorEvent;
  readonly effects: readonly Effect[];
  readonly arms: readonly ArmedTimer[];
  readonly cancels: readonly string[];
  readonly operations: readonly OperationRecord[];
  /** Members of the context that the version before has as they are: its row has them already. */
  readonly unchanged: readonly string[];
  readonly answer?: KeyedAnswer;
  /** The timer that this step delivers. The step is void when it is not armed any more. */
  readonly fires?: TimerRef;
  /** The effect whose end this step tells: its outbox row goes in the same transaction. */
  readonly completes?: string;
  /** Nothing is left to do: the actor becomes a row of the archive. */
  readonly archives: boolean;
}

/** `void`: somebody stepped first, the event is known already, or its timer is not armed. */
export type CommitOutcome = 'committed' | 'void';

/** The durable truth. */
export interface ActorStore {
  /** Answers the actors that exist; the others are absent from the map. */
  load(ids: readonly string[]): Promise<ReadonlyMap<string, Stored>>;
  /**
   * Commits steps of different actors together; durable when it answers. A step is written only
   * if its version is the stored version plus one and its event id is new to the actor. What is
   * `unchanged` may be left as it is stored.
   * @throws ControlPlaneError `idempotency_key_reused` if another request has used the key.
   */
  commit(steps: readonly Step[]): Promise<readonly CommitOutcome[]>;
  /** Has this actor, alive or archived, already taken this event? */
  isKnown(id: string, eventId: string): Promise<boolean>;
  isArmed(id: string, timer: TimerRef): Promise<boolean>;
  /** A timer that changed nothing is spent all the same. */
  disarm(id: string, timer: TimerRef): Promise<void>;
  /** An effect whose end changed nothing is settled all the same. */
  settle(effectKey: string): Promise<void>;
}
