import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { Instances } from '../../storage/instances.ts';
import { replyAccepted } from '../accepted.ts';
import type { createInstanceCreation } from '../create-instance.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { instanceOrder } from '../instance-order.ts';
import { acceptedView, instanceRow, viewInstance, viewOperation } from '../server-view.ts';
import type { Waiting } from '../wait.ts';

export function instanceEndpoints({
  instances,
  create,
  waiting,
}: {
  readonly instances: Instances;
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
        const mine = principal.role === 'admin' ? null : principal.userId;
        const rows = (await instances.list(mine)).map(viewInstance);
        return { status: 200, body: { ok: true, rows } };
      },
    }),
  ];
}
