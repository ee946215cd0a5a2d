import { z } from 'zod';

import type { ActorSystem } from '../../actors/system.ts';
import { ConflictError, type ErrorCode, NotFoundError } from '../../errors.ts';
import { allowedActionsOf } from '../../machines/instance/wishes.ts';
import type { Instance, Instances } from '../../storage/instances.ts';
import { replyAccepted } from '../accepted.ts';
import { maySee, type Principal } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import {
  acceptedView,
  serverView,
  statusView,
  viewOperation,
  viewServer,
  viewStatus,
} from '../server-view.ts';
import type { Waiting } from '../wait.ts';

export const vmidParam = z.coerce.number().int().min(100).max(999_999_999);

export interface ServerDependencies {
  readonly instances: Instances;
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly waiting: Waiting;
  readonly randomId: () => string;
}

/** @throws NotFoundError also for somebody else's: whether it exists is not theirs to know. */
export async function requireInstance(
  instances: Pick<Instances, 'findByVmid'>,
  vmid: number,
  principal: Principal,
): Promise<Instance> {
  const instance = await instances.findByVmid(vmid);
  if (instance && maySee(principal, instance.state.context.customerId)) return instance;
  throw new NotFoundError(`there is no container ${vmid}`);
}

/** A wish that the machine refused, with its reason and what it would accept. */
export function toRefusal(refused: {
  readonly reason: { readonly code: string; readonly message: string };
  readonly allowedActions: readonly string[];
}): ConflictError {
  const { reason, allowedActions } = refused;
  const known: readonly ErrorCode[] = ['container_running', 'deletion_in_progress'];
  const code = known.find((one) => one === reason.code) ?? 'refused';
  return new ConflictError(reason.message, {
    code,
    details: { reason: reason.code, allowedActions },
  });
}

export function serverEndpoints(dependencies: ServerDependencies): readonly AnyEndpoint[] {
  const { instances, actors, waiting, randomId } = dependencies;
  const params = z.object({ id: vmidParam });
  const base = { tag: 'servers', query: nothing, body: nothing } as const;
  return [
    endpoint({
      ...base,
      operationId: 'listServers',
      summary: 'My servers; for an administrator, all',
      method: 'get',
      path: '/api/servers',
      params: nothing,
      replies: { 200: z.object({ servers: z.array(serverView) }) },
      problems: ['unauthenticated'],
      async handle({ principal }) {
        const mine = principal.role === 'admin' ? null : principal.userId;
        const servers = (await instances.list(mine)).map(viewServer);
        return { status: 200, body: { servers } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getServer',
      summary: 'One server',
      method: 'get',
      path: '/api/servers/:id',
      params,
      replies: { 200: z.object({ server: serverView }) },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        const server = viewServer(await requireInstance(instances, id, principal));
        return { status: 200, body: { server } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getServerStatus',
      summary: 'What a server is doing, why, and what may be asked of it',
      method: 'get',
      path: '/api/servers/:id/status',
      params,
      replies: { 200: statusView },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        const instance = await requireInstance(instances, id, principal);
        return { status: 200, body: viewStatus(instance, allowedActionsOf(instance.state)) };
      },
    }),
    endpoint({
      ...base,
      operationId: 'retryServer',
      summary: 'Try again what has failed',
      method: 'post',
      path: '/api/servers/:id/retry',
      params,
      reads: ['Prefer'],
      replies: { 200: acceptedView, 202: acceptedView },
      problems: ['unauthenticated', 'not_found', 'refused', 'deletion_in_progress'],
      async handle({ params: { id: vmid }, principal, headers, signal }) {
        const { id } = await requireInstance(instances, vmid, principal);
        const asked = await actors.ask(
          { kind: 'instance', id },
          {
            type: 'retry.requested',
            operationId: `op-${randomId()}`,
            requestedBy: principal.userId,
          },
        );
        if (asked.outcome === 'refused') throw toRefusal(asked);
        const read = () => requireInstance(instances, vmid, principal);
        const isSettled = async () => viewOperation(await read()).state !== 'running';
        await waiting.until(id, isSettled, { waitS: headers.waitS, signal });
        return replyAccepted(await read());
      },
    }),
  ];
}
