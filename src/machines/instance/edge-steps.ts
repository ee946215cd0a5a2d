import type { Edge, EdgeOperation, EdgePlan, Target, TargetKind } from './edge-types.ts';
import { instanceSetup, opIdOf } from './setup.ts';
import { atOf, failureOf } from './steps.ts';
import type { Debt, EdgeOpKind, Effect, InstanceContext, InstanceEvent, Op } from './types.ts';

/** The building blocks of the edge region: calls to several third parties at once. */

const targetsOf = ({ payload }: InstanceContext): readonly Target[] => payload.edge?.targets ?? [];

const withTargets = (
  { payload }: InstanceContext,
  change: (target: Target) => Target,
): InstanceContext['payload'] =>
  payload.edge
    ? { ...payload, edge: { ...payload.edge, targets: payload.edge.targets.map(change) } }
    : payload;

/** Every target that is not published yet; all of them, if somebody asked to publish. */
const toPublish = (context: InstanceContext, event: InstanceEvent) =>
  targetsOf(context).filter(
    ({ state }) => event.type === 'publish.requested' || state !== 'published',
  );
const toRemove = (context: InstanceContext) =>
  targetsOf(context).filter(({ state }) => state !== 'absent' && state !== 'owed');

/** One call for each of them, in lanes of their own: none waits for another third party. */
function begin(
  kind: EdgeOpKind,
  subjects: (context: InstanceContext, event: InstanceEvent) => readonly Target[],
) {
  const state = kind === 'publish' ? 'publishing' : 'removing';
  return [
    instanceSetup.assign(({ context, event }) => {
      const since = atOf(event);
      const begun = subjects(context, event).map(({ spec }, index) => {
        const op: Op<EdgeOpKind> = {
          id: String(context.opSeq + 1 + index),
          kind,
          since,
          upid: null,
        };
        return [spec.kind, op] as const;
      });
      const edge: Partial<Record<TargetKind, Op<EdgeOpKind>>> = Object.fromEntries(begun);
      return {
        opSeq: context.opSeq + begun.length,
        ops: { ...context.ops, edge },
        attempts: { ...context.attempts, edge: context.attempts.edge + 1 },
        payload: withTargets(context, (target) =>
          edge[target.spec.kind] ? { ...target, state, since } : target,
        ),
      };
    }),
    instanceSetup.enqueueActions(({ context, enqueue }) => {
      const { id, vmid, ops } = context;
      for (const { spec } of targetsOf(context)) {
        const op = ops.edge[spec.kind];
        if (!op) continue;
        const effect = { kind: `${spec.kind}.${kind}`, opId: op.id, vmid, id, target: spec };
        enqueue({ type: 'effect', params: { effect: effect as Effect } });
      }
    }),
  ] as const;
}

export const beginPublish = begin('publish', toPublish);
export const beginRemove = begin('remove', toRemove);

/** The target whose call the event answers. */
const answeredKind = ({ ops }: InstanceContext, event: InstanceEvent): TargetKind | undefined =>
  (Object.keys(ops.edge) as TargetKind[]).find((kind) => ops.edge[kind]?.id === opIdOf(event));

/** Keeps how the call to one target has ended, and frees its lane. */
export const endCall = (state: 'published' | 'absent' | 'failed' | 'stuck') =>
  instanceSetup.assign(({ context, event }) => {
    const answered = answeredKind(context, event);
    const { [answered as TargetKind]: _, ...edge } = context.ops.edge;
    const isBad = state === 'failed' || state === 'stuck';
    const failure = isBad ? whyOf(event) : null;
    return {
      ops: { ...context.ops, edge },
      payload: withTargets(context, (target) =>
        target.spec.kind === answered ? { ...target, state, since: atOf(event), failure } : target,
      ),
    };
  });

/** Whoever has not answered by now has failed. */
export const giveUpCalls = (state: 'failed' | 'stuck') =>
  instanceSetup.assign(({ context, event }) => ({
    ops: { ...context.ops, edge: {} },
    payload: withTargets(context, (target) =>
      context.ops.edge[target.spec.kind]
        ? { ...target, state, since: atOf(event), failure: whyOf(event) }
        : target,
    ),
  }));

function whyOf(event: InstanceEvent) {
  const { code, message } = failureOf('the call', event);
  return { code, message };
}

/** It is not there any more, whoever removed it. */
export const loseTarget = instanceSetup.assign(({ context, event }) => ({
  payload: withTargets(context, (target) =>
    event.type === 'target.lost' && target.spec.kind === event.kind
      ? {
          ...target,
          state: 'failed',
          since: event.at,
          failure: { code: 'vanished', message: event.message },
        }
      : target,
  ),
}));

const begun = (kind: EdgeOperation['kind'], event: InstanceEvent): EdgeOperation | null =>
  event.type === 'publish.requested' || event.type === 'unpublish.requested'
    ? {
        id: event.operationId,
        kind,
        state: 'running',
        requestedBy: event.requestedBy,
        acceptedAt: event.at,
        finishedAt: null,
        error: null,
      }
    : null;

const NOTHING: Edge = { isWanted: true, targets: [], next: null };

/** With another plan than the present one: that has to go first. */
export const acceptPublish = instanceSetup.assign(({ context, event }) => {
  if (event.type !== 'publish.requested') return {};
  const edge = context.payload.edge ?? NOTHING;
  return {
    edgeOperation: begun('publish', event),
    payload: { ...context.payload, edge: { ...edge, isWanted: true, next: event.plan } },
  };
});

/** The plan stays as it is. */
export const acceptRepublish = instanceSetup.assign(({ context, event }) => ({
  edgeOperation: begun('publish', event),
  payload: {
    ...context.payload,
    edge: context.payload.edge && { ...context.payload.edge, isWanted: true, next: null },
  },
}));

export const acceptUnpublish = instanceSetup.assign(({ context, event }) => ({
  edgeOperation: begun('unpublish', event),
  payload: {
    ...context.payload,
    edge: context.payload.edge && { ...context.payload.edge, isWanted: false, next: null },
  },
}));

/** Of the plan before nothing is left. */
export const adoptPlan = instanceSetup.assign(({ context, event }) => {
  const next = context.payload.edge?.next;
  return next ? { payload: { ...context.payload, ...planned(next, atOf(event)) } } : {};
});

/** What a plan begins with; nothing at all if there is nothing to publish. */
export function planned(
  { targets, proxy }: EdgePlan,
  since: number,
): Pick<InstanceContext['payload'], 'edge' | 'proxy'> {
  const isNothing = targets.length === 0 && proxy === null;
  return {
    edge: isNothing
      ? null
      : {
          isWanted: true,
          targets: targets.map((spec) => ({ spec, state: 'absent', since, failure: null })),
          next: null,
        },
    proxy: proxy && {
      ...proxy,
      registration: null,
      report: null,
      heardUntil: null,
      pingedAt: null,
      counts: { reports: 0, duplicates: 0, late: 0 },
      late: null,
      forgotten: 0,
      failure: null,
    },
  };
}

const ended = (
  { edgeOperation: one }: InstanceContext,
  kind: EdgeOperation['kind'],
  end: Pick<EdgeOperation, 'state' | 'error' | 'finishedAt'>,
) => (one?.state === 'running' && one.kind === kind ? { ...one, ...end } : one);

export const succeedEdge = (kind: EdgeOperation['kind']) =>
  instanceSetup.assign({
    edgeOperation: ({ context, event }) =>
      ended(context, kind, { state: 'succeeded', error: null, finishedAt: atOf(event) }),
  });

/** The wish has failed for now; the region goes on trying. */
export const failEdge = (kind: EdgeOperation['kind']) =>
  instanceSetup.assign({
    edgeOperation: ({ context, event }) =>
      ended(context, kind, {
        state: 'failed',
        error: firstFailure(context),
        finishedAt: atOf(event),
      }),
  });

function firstFailure(context: InstanceContext) {
  const failed = targetsOf(context).find(({ failure }) => failure !== null);
  if (failed?.failure) return { step: failed.spec.kind, ...failed.failure };
  const { failure } = context.payload.proxy ?? {};
  if (failure) return { step: 'proxy', ...failure };
  return { step: 'edge', code: 'deadline_exceeded', message: 'it took longer than it may' };
}

/** Nothing is known of it any more. A wish to publish that a deletion has overtaken ends here. */
export const settleUnpublished = [
  instanceSetup.enqueueActions(({ check, enqueue }) => {
    if (check('isDoomed')) enqueue(supersedeEdge);
  }),
  succeedEdge('unpublish'),
] as const;

/** A deletion has made it pointless. */
export const supersedeEdge = instanceSetup.assign({
  edgeOperation: ({ context: { edgeOperation: one }, event }) =>
    one?.state === 'running' ? { ...one, state: 'superseded', finishedAt: atOf(event) } : one,
});

/** What could not be removed is written down, with what it takes to remove it later. */
export const oweEdge = [
  instanceSetup.assign(({ context }) => ({
    debts: [
      ...context.debts,
      ...toRemove(context).map(({ spec, failure }): Debt => {
        const { code = 'deadline_exceeded', message = 'it did not end in time' } = failure ?? {};
        return { kind: spec.kind, code, message, subject: { ...spec } };
      }),
    ],
  })),
  instanceSetup.assign(({ context, event }) => ({
    ops: { ...context.ops, edge: {} },
    payload: withTargets(context, (target) =>
      target.state === 'absent' ? target : { ...target, state: 'owed', since: atOf(event) },
    ),
  })),
] as const;
