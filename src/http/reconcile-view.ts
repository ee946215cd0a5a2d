import { z } from 'zod';

/** What administrators see of the differences between Proxmox and our rows. */

const date = z.iso.datetime();
const vmid = z.number().int();

export const reconcileView = z
  .object({
    checkedAt: date.describe('When the comparison began'),
    tookMs: z.number(),
    containersWithoutRow: z.array(
      z.object({
        node: z.string(),
        vmid,
        name: z.string().nullable(),
        marker: z.string().nullable().describe('The instance that it says it belongs to'),
        isMarkerKnown: z.boolean().describe('false: its node did not answer'),
        belongsTo: z.string().nullable().describe('The same, if our archive knows that instance'),
        isOwed: z.boolean().describe('It will be removed; what is not owed is never touched'),
      }),
    ),
    rowsWithoutContainer: z.array(
      z.object({
        instanceId: z.string(),
        vmid,
        hostname: z.string(),
        node: z.string().nullable(),
        host: z.string().describe('What its machine believes: `absent` if it knows'),
        found: z.enum(['nothing', 'foreign', 'no_answer']).describe('What its node said'),
      }),
    ),
    debts: z.array(
      z.object({
        instanceId: z.string(),
        vmid,
        kind: z.string(),
        code: z.string(),
        message: z.string(),
        attempts: z.number().int(),
        createdAt: date,
        triedAt: date,
      }),
    ),
    stuckEffects: z.array(
      z.object({
        key: z.string(),
        instanceId: z.string(),
        kind: z.string(),
        claims: z.number().int().describe('How often somebody has begun it'),
        isHeld: z.boolean().describe('Somebody is at it just now'),
        createdAt: date,
      }),
    ),
    timersOverdue: z.array(z.object({ instanceId: z.string(), timerId: z.string(), dueAt: date })),
  })
  .meta({ id: 'ReconcileReport' });
