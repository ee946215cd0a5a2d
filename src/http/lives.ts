import { z } from 'zod';

import { NotFoundError } from '../errors.ts';
import type { Instances } from '../storage/instances.ts';
import type { FindEntry } from '../view/entry.ts';
import { maySee, type Principal } from './auth/principal.ts';
import { requireEntry } from './routes/servers.ts';

export const lifeQuery = z.object({
  instance: z
    .string()
    .max(64)
    .optional()
    .describe('A former instance of this VMID, by its id; the present one if absent'),
});

export interface LifeDependencies {
  readonly find: FindEntry;
  readonly instances: Pick<Instances, 'listArchived'>;
}

type FindLife = (vmid: number, id: string | undefined, principal: Principal) => Promise<string>;

/**
 * Which instance of a VMID is meant: the one that lives, or a former one by its id.
 * Somebody else's former instance answers like one that never was.
 */
export function createLifeFinder({ find, instances }: LifeDependencies): FindLife {
  return async (vmid, id, principal) => {
    const living = await find(vmid);
    if (id === undefined || living?.id === id) {
      return (await requireEntry(async () => living, vmid, principal)).id;
    }
    const former = (await instances.listArchived(vmid)).find((one) => one.id === id);
    if (former && maySee(principal, former.customerId)) return id;
    throw new NotFoundError(`container ${vmid} has had no instance ${id}`);
  };
}
