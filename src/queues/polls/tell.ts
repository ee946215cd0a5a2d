import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import type { ToldEvent } from '../effects/performer.ts';

interface Subject {
  readonly id: string;
  /** Of the row that what was seen is compared with. */
  readonly version: number;
}

export type Tell = (
  subject: Subject,
  event: Extract<ToldEvent, { type: Sighting }>,
) => Promise<void>;

type Sighting =
  | 'agent.observed'
  | 'host.observed'
  | 'address.found'
  | 'proxy.observed'
  | 'target.lost';

/** false also if it lives no more. */
export async function isUnchanged(
  actors: Pick<ActorSystem, 'read'>,
  { id, version }: Subject,
): Promise<boolean> {
  try {
    return (await actors.read({ kind: 'instance', id })).version === version;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}

/**
 * Tells an instance what was seen of it, unless it has stepped since it was compared: a game that
 * was ready before its container was restarted is not ready after. The next sweep looks anew.
 */
export function createTell(actors: Pick<ActorSystem, 'read' | 'tell'>): Tell {
  return async (subject, event) => {
    if (!(await isUnchanged(actors, subject))) return;
    try {
      await actors.tell({ kind: 'instance', id: subject.id }, event);
    } catch (error) {
      // The actor went into the archive meanwhile.
      if (!(error instanceof NotFoundError)) throw error;
    }
  };
}
