import { z } from 'zod';

import { ControlPlaneError, UnavailableError } from '../../errors.ts';
import type { ReconcileReport } from '../../storage/reconcile-report.ts';
import { type Principal, requireScope } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { reconcileView } from '../reconcile-view.ts';

const PATH = '/api/admin/reconcile';
const RETRY_AFTER_S = 2;

export interface ReconcileEndpointDependencies {
  /** The latest report of any node. */
  readonly latest: () => Promise<ReconcileReport | null>;
  readonly run: (shutdown: AbortSignal) => Promise<ReconcileReport>;
  readonly closing: AbortSignal;
  /** Nobody waits any more for the run that has failed. */
  readonly onError: (error: unknown) => void;
}

export function requireAdmin(principal: Principal): void {
  requireScope(principal, 'admin');
  if (principal.role !== 'admin')
    throw new ControlPlaneError('forbidden', 'this is for administrators');
}

const base = {
  tag: 'admin',
  path: PATH,
  params: nothing,
  query: nothing,
  body: nothing,
} as const;

export function reconcileEndpoints({
  latest,
  run,
  closing,
  onError,
}: ReconcileEndpointDependencies): readonly AnyEndpoint[] {
  return [
    endpoint({
      ...base,
      operationId: 'getReconcileReport',
      summary: 'How Proxmox and our rows differed when they were last compared',
      method: 'get',
      replies: { 200: reconcileView },
      problems: ['unauthenticated', 'forbidden', 'unavailable'],
      async handle({ principal }) {
        requireAdmin(principal);
        const report = await latest();
        if (report) return { status: 200, body: report };
        throw new UnavailableError(`nothing has been compared of late; POST ${PATH} does it now`);
      },
    }),
    endpoint({
      ...base,
      operationId: 'reconcile',
      summary: 'Compare Proxmox with our rows now',
      method: 'post',
      reads: ['Prefer'],
      replies: {
        200: reconcileView,
        202: z.object({ ok: z.literal(true), statusUrl: z.string() }),
      },
      problems: ['unauthenticated', 'forbidden', 'upstream_failed', 'unavailable'],
      // Not left to a worker: whoever asks wants this very run, and to hear of it if it fails.
      async handle({ principal, headers: { waitS }, signal }) {
        requireAdmin(principal);
        const running = run(closing);
        const report = await withinTime(running, waitS, AbortSignal.any([signal, closing]));
        if (report) return { status: 200, body: report };
        running.catch(onError);
        const headers = { Location: PATH, 'Retry-After': String(RETRY_AFTER_S) };
        return { status: 202, headers, body: { ok: true, statusUrl: PATH } };
      },
    }),
  ];
}

/** null: it goes on without anybody waiting. */
async function withinTime<T>(running: Promise<T>, waitS: number, over: AbortSignal) {
  if (waitS === 0 || over.aborted) return null;
  const { promise, resolve } = Promise.withResolvers<null>();
  const stop = () => resolve(null);
  const timer = setTimeout(stop, waitS * 1000);
  over.addEventListener('abort', stop);
  try {
    return await Promise.race([running, promise]);
  } finally {
    clearTimeout(timer);
    over.removeEventListener('abort', stop);
  }
}
