import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { Instances } from '../../storage/instances.ts';
import type { Fleet } from '../../view/fleet.ts';
import { replyAccepted } from '../accepted.ts';
import type { createInstanceCreation } from '../create-instance.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { instanceOrder } from '../instance-order.ts';
import { assembledJson } from '../json.ts';
import { ownerOf } from '../server-list.ts';
import type { ServerTexts } from '../server-texts.ts';
import { acceptedView, instanceRow, viewOperation } from '../server-view.ts';
import type { Waiting } from '../wait.ts';

export function instanceEndpoints({
  instances,
  fleet,
  texts,
  create,
  waiting,
}: {
  readonly instances: Instances;
  readonly fleet: Fleet;
  readonly texts: ServerTexts;
  readonly create: ReturnType<typeof createInstanceCreation>;
  readonly waiting: Waiting;
}): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'createInstance',
      summary: 'Order a container',
      tag: 'instances',
      method: 'post',
      path: '/api/instances',
      params: nothing,
      query: nothing,
      body: instanceOrder,
      reads: ['Idempotency-Key', 'Prefer'],
      replies: { 200: acceptedView, 202: acceptedView },
      problems: [
        'invalid_input',
        'unauthenticated',
        'plan_limit_reached',
        'account_suspended',
        'idempotency_key_reused',
        'vmid_range_exhausted',
        'unavailable',
      ],
      async handle({ body, principal, headers, signal }) {
        const isAdmin = principal.role === 'admin';
        const { vmid, id, isReplay } = await create({
          order: body,
          customerId: (isAdmin && body.customerId) || principal.userId,
          requestedBy: principal.userId,
          isExempt: isAdmin,
          idempotencyKey: headers.idempotencyKey,
        });
        const read = async () => {
          const instance = await instances.findByVmid(vmid);
          if (instance?.id === id) return instance;
          throw new NotFoundError(`container ${vmid} has been deleted since`);
        };
        const isSettled = async () => viewOperation(await read()).state !== 'running';
        await waiting.until(id, isSettled, { waitS: headers.waitS, signal });
        const instance = await read();
        return replyAccepted(instance, isReplay ? { 'Idempotent-Replayed': 'true' } : {});
      },
    }),
    endpoint({
      operationId: 'listInstances',
      summary: 'My containers; for an administrator, all',
      tag: 'instances',
      method: 'get',
      path: '/api/instances',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: z.object({ ok: z.literal(true), rows: z.array(instanceRow) }) },
      problems: ['unauthenticated'],
      async handle({ principal }) {
        const entries = fleet.select({ customerId: ownerOf(principal) });
        const rows = entries.map(texts.row).join(',');
        return { status: 200, json: assembledJson(`{"ok":true,"rows":[${rows}]}`) };
      },
    }),
  ];
}
