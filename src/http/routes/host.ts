import { z } from 'zod';

import { describeStatus } from '../../machines/instance/status.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import type { Live, LiveNumbers } from '../../view/live.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import type { createHostPower, PowerVerb } from '../host-power.ts';
import { operatedView, replyOperated } from '../operation-reply.ts';
import { hostStatusUrlOf, operationRecordView, viewRecord } from '../operation-view.ts';
import { whatIsUnseen } from '../server-texts.ts';
import type { AwaitOperation } from './operations.ts';
import { requireEntry, vmidParam } from './servers.ts';

const number = z.number().nullable();

const hostStatusView = z
  .object({
    hostStatus: z.enum(['running', 'stopped', 'starting', 'stopping', 'restarting', 'unknown']),
    powerState: z.enum(['running', 'stopped', 'unknown']).describe('What Proxmox says'),
    running: z.boolean(),
    reason: z.string().describe('Why it is so: a stable code'),
    message: z.string(),
    operation: operationRecordView.nullable().describe('The latest; it may have ended'),
    node: z.string().nullable(),
    lock: z.string().nullable().describe('Why Proxmox refuses changes at the moment'),
    since: z.iso.datetime().describe('Since when hostStatus is what it is'),
    ageMs: number.describe('Since Proxmox was last heard of this container; null: never'),
    stats: z
      .object({
        cpu: number.describe('Share of its cores, 0 to 1'),
        mem: number.describe('Bytes, as maxmem and disk'),
        maxmem: number,
        disk: number,
        uptime: number.describe('Seconds'),
      })
      .nullable()
      .describe('Of the last minute; null: unknown'),
    observedAt: z.iso.datetime().nullable().describe('When Proxmox was last heard'),
  })
  .meta({ id: 'HostStatus' });

export interface HostDependencies {
  readonly find: FindEntry;
  readonly live: Live;
  readonly power: ReturnType<typeof createHostPower>;
  readonly awaitOperation: AwaitOperation;
  readonly now: () => number;
  readonly unseenAfterMs: number;
}

function viewHost(
  entry: FleetEntry,
  live: LiveNumbers,
  { now, unseenAfterMs }: { readonly now: number; readonly unseenAfterMs: number },
): z.input<typeof hostStatusView> {
  const { state } = entry;
  const { host: numbers, hostObservedAt } = live;
  const unseen = whatIsUnseen(entry, live, { at: now, unseenAfterMs });
  const { hostStatus, powerState, hostOperation, conditions } = describeStatus(state, unseen);
  const condition = conditions.find(({ type }) => type === 'HostRunning');
  return {
    hostStatus,
    powerState,
    running: powerState === 'running',
    reason: condition?.reason ?? hostStatus,
    message: condition?.message ?? '',
    operation: hostOperation && viewRecord(hostOperation),
    node: state.context.node,
    lock: state.context.sighting.lock,
    since: new Date(state.since['host'] ?? 0).toISOString(),
    ageMs: hostObservedAt === null ? null : Math.max(0, now - hostObservedAt),
    stats: numbers && {
      cpu: numbers.cpu,
      mem: numbers.mem,
      maxmem: numbers.maxmem,
      disk: numbers.disk,
      uptime: numbers.uptime,
    },
    observedAt: hostObservedAt === null ? null : new Date(hostObservedAt).toISOString(),
  };
}

export function hostEndpoints(dependencies: HostDependencies): readonly AnyEndpoint[] {
  const { find, live, power, awaitOperation, now, unseenAfterMs } = dependencies;
  const params = z.object({ id: vmidParam });
  const base = { tag: 'host', params, query: nothing, body: nothing } as const;

  const powerEndpoint = (verb: PowerVerb, summary: string) =>
    endpoint({
      ...base,
      operationId: `${verb}Host`,
      summary,
      method: 'post',
      path: `/api/servers/:id/host/${verb}`,
      reads: ['Idempotency-Key', 'Prefer'],
      replies: { 200: operatedView, 202: operatedView },
      problems: [
        'unauthenticated',
        'not_found',
        'refused',
        'deletion_in_progress',
        'host_operation_in_progress',
        'host_not_running',
        'idempotency_key_reused',
      ],
      async handle({ params: { id: vmid }, principal, headers, signal }) {
        const { id } = await requireEntry(find, vmid, principal);
        const { idempotencyKey, waitS } = headers;
        const request = { verb, instanceId: id, vmid, userId: principal.userId, idempotencyKey };
        const powered = await power(request);
        const place = { vmid, statusUrl: hostStatusUrlOf(vmid) };
        if (powered.outcome === 'no_change') return replyOperated(place, powered);
        const operation = await awaitOperation(id, powered.operation, { waitS, signal });
        return replyOperated(place, { ...powered, operation });
      },
    });

  return [
    endpoint({
      ...base,
      operationId: 'getHostStatus',
      summary: 'Is the container on, what is being done about it, and how busy is it?',
      method: 'get',
      path: '/api/servers/:id/host/status',
      replies: { 200: hostStatusView },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        const entry = await requireEntry(find, id, principal);
        const numbers = live.of(id, { bornAt: entry.createdAt.getTime(), now: now() });
        return { status: 200, body: viewHost(entry, numbers, { now: now(), unseenAfterMs }) };
      },
    }),
    powerEndpoint('start', 'Turn the container on'),
    powerEndpoint('stop', 'Shut the container down; if that takes too long, stop it hard'),
    powerEndpoint('restart', 'Shut the container down and start it again'),
  ];
}
