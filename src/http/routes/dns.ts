import { z } from 'zod';

import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { requireAdmin } from './reconcile.ts';

const zone = z.enum(['internal_dns', 'public_dns']);
const hasContainer = z
  .boolean()
  .nullable()
  .describe('Whether Proxmox lists a container of its number; null: it did not answer');

const dnsReportView = z
  .object({
    checkedAt: z.iso.datetime(),
    tookMs: z.number(),
    isDryRun: z.boolean().describe('Nothing was changed'),
    zones: z.array(
      z.object({
        zone,
        records: z.int(),
        ours: z.int().describe('Those that bear our marker'),
        error: z.string().nullable().describe('Why it could not be read'),
      }),
    ),
    strays: z
      .array(
        z.object({
          zone,
          name: z.string(),
          type: z.string(),
          content: z.string(),
          instanceId: z.string(),
          hasContainer,
          why: z
            .enum(['archived', 'unpublished', 'foreign'])
            .describe('foreign: our archive does not know its instance, so it is never touched'),
          isRemoved: z.boolean(),
        }),
      )
      .describe('Records of ours that nobody wants any more'),
    missing: z
      .array(
        z.object({
          zone,
          name: z.string(),
          vmid: z.int(),
          instanceId: z.string(),
          hasContainer,
          isTold: z.boolean().describe('Its instance was told, and publishes it again'),
        }),
      )
      .describe('Records that an instance ought to have'),
  })
  .meta({ id: 'DnsReport' });

export function dnsEndpoints(options: {
  readonly compare: (how: { readonly isDryRun: boolean }) => Promise<object>;
}): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'reconcileDns',
      summary: 'Compare DNS with our rows and Proxmox; with `dryRun=false`, mend what differs',
      tag: 'admin',
      method: 'get',
      path: '/api/admin/dns/reconcile',
      params: nothing,
      query: z.object({ dryRun: z.enum(['true', 'false']).default('true') }),
      body: nothing,
      replies: { 200: dnsReportView },
      problems: ['unauthenticated', 'forbidden', 'upstream_failed', 'unavailable'],
      async handle({ query: { dryRun }, principal }) {
        requireAdmin(principal);
        return { status: 200, body: await options.compare({ isDryRun: dryRun === 'true' }) };
      },
    }),
  ];
}
