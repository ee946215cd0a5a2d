import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';

import { redact } from '../redact.ts';

/** An actor as it is at a moment. */
export interface Seen {
  readonly id: string;
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
}

/** What a machine was made of; a diagram is drawn from it. */
export interface Drawn {
  readonly config: object;
}

/** Tells the Stately inspector of actors that no live interpreter runs. */
export interface Feed {
  /** That there is one, with the definition from which it is drawn. */
  actor(seen: Seen): void;
  /** That it has taken an event, and what came of it. */
  step(event: { readonly type: string }, seen: Seen): void;
}

/**
 * The messages of `@statelyai/inspect`, through an adapter of our own. Told by hand of an actor, the
 * package leaves its root unnamed (`anonymous`, or nothing), and the inspector draws no actor whose
 * root it has never met: each of ours is its own.
 */
export function createFeed(machine: Drawn, send: (message: string) => void): Feed {
  const inspector = createInspector({
    send(event: StatelyInspectionEvent) {
      send(JSON.stringify({ ...event, rootId: event.sessionId }));
    },
  });
  // The package asks an actor for its session and the configuration of its logic, and no more.
  const refOf = (id: string) =>
    ({ id, sessionId: id, logic: machine, send() {} }) as unknown as Parameters<
      typeof inspector.actor
    >[0];
  const snapshotOf = ({ status, value, context }: Seen) =>
    ({ status, value, context: redact(context) }) as never;
  return {
    actor: (seen) => inspector.actor(refOf(seen.id), snapshotOf(seen)),
    step(event, seen) {
      inspector.event(refOf(seen.id), event, { source: 'journal' });
      inspector.snapshot(refOf(seen.id), snapshotOf(seen), { event });
    },
  };
}
