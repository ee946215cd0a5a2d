import type { ProxyRecord, ProxyReport } from './edge-types.ts';
import { instanceSetup } from './setup.ts';
import { atOf, effect, failureOf, oneMoreAttempt, opOf } from './steps.ts';
import type { Debt, InstanceContext, InstanceEvent, ProxyOpKind } from './types.ts';

/** The building blocks of the proxy region: one registration, and what is reported of it. */

const withProxy = (
  { payload }: InstanceContext,
  change: (proxy: ProxyRecord) => Partial<ProxyRecord>,
): InstanceContext['payload'] =>
  payload.proxy ? { ...payload, proxy: { ...payload.proxy, ...change(payload.proxy) } } : payload;

const takeProxyLane = (kind: ProxyOpKind) =>
  instanceSetup.assign({
    opSeq: ({ context }) => context.opSeq + 1,
    ops: ({ context, event }) => ({ ...context.ops, proxy: opOf(context, kind, event) }),
    attempts: ({ context }) => oneMoreAttempt('proxy', context),
  });

export const releaseProxyLane = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, proxy: null }),
});

/** Asks the bridge to lead our name to where the container is now. */
export const beginRegister = [
  takeProxyLane('register'),
  instanceSetup.assign({
    payload: ({ context, event }) =>
      withProxy(context, ({ backendPort: port, registration }) => {
        const address = context.ip ?? '';
        const isSame = registration?.address === address && registration.port === port;
        // The same again: what was heard of it meanwhile still counts.
        return isSame
          ? {}
          : { registration: { address, port, since: atOf(event) }, report: null, pingedAt: null };
      }),
  }),
  effect('proxy', 'proxy.register', ({ ip, payload: { proxy } }) => ({
    serverName: proxy?.serverName ?? '',
    address: ip ?? '',
    port: proxy?.backendPort ?? 0,
  })),
] as const;

export const beginUnregister = [
  takeProxyLane('unregister'),
  effect('proxy', 'proxy.unregister', ({ payload: { proxy } }) => ({
    serverName: proxy?.serverName ?? '',
  })),
] as const;

export const endRegister = [
  releaseProxyLane,
  instanceSetup.assign({
    payload: ({ context }) => withProxy(context, () => ({ failure: null })),
  }),
] as const;

export const endUnregister = [
  releaseProxyLane,
  instanceSetup.assign({
    payload: ({ context }) => withProxy(context, () => ({ failure: null, registration: null })),
  }),
] as const;

/** Keeps the reason: it is tried again for as long as it is wanted. */
export const failProxy = (step: ProxyOpKind) =>
  instanceSetup.assign({
    payload: ({ context, event }) =>
      withProxy(context, () => {
        const { code, message } = failureOf(step, event);
        return { failure: { code, message } };
      }),
  });

/** The bridge has restarted, or somebody has removed it there: nothing was pinged since. */
export const countForgotten = instanceSetup.assign({
  payload: ({ context }) =>
    withProxy(context, ({ forgotten }) => ({
      forgotten: forgotten + 1,
      registration: null,
      report: null,
      pingedAt: null,
    })),
});

/** It was posted twice, or the bridge itself says that it had done it before. */
const isDuplicate = ({ report }: ProxyRecord, event: ProxyReport) =>
  event.duplicate ||
  (event.reportedAt !== null &&
    event.reportedAt === report?.reportedAt &&
    event.status === report.status);

function received(event: InstanceEvent, duplicate: boolean) {
  if (event.type !== 'proxy.reported') return null;
  const { type: _, at: receivedAt, ...report } = event;
  return { ...report, duplicate, receivedAt };
}

const isPing = (status: ProxyReport['status']) => status !== 'registered_with_proxy';

export const rememberReport = instanceSetup.assign({
  payload: ({ context, event }) =>
    withProxy(context, (proxy) => {
      if (event.type !== 'proxy.reported') return {};
      const { counts, heardUntil, pingedAt } = proxy;
      const duplicate = isDuplicate(proxy, event);
      return {
        report: received(event, duplicate),
        heardUntil: event.reportedAt ?? heardUntil,
        pingedAt: isPing(event.status) ? event.at : pingedAt,
        counts: {
          ...counts,
          reports: counts.reports + 1,
          duplicates: counts.duplicates + Number(duplicate),
        },
      };
    }),
});

/** Kept beside what is true, so that the journal has it and nobody believes it. */
export const noteLate = instanceSetup.assign({
  payload: ({ context, event }) =>
    withProxy(context, ({ counts }) => ({
      late: received(event, event.type === 'proxy.reported' && event.duplicate),
      counts: { ...counts, reports: counts.reports + 1, late: counts.late + 1 },
    })),
});

export const oweProxy = [
  releaseProxyLane,
  instanceSetup.assign(({ context }) => {
    const { serverName, registration = null, failure } = context.payload.proxy ?? {};
    if (registration === null) return {};
    const { code = 'deadline_exceeded', message = 'it did not end in time' } = failure ?? {};
    const debt: Debt = { kind: 'proxy', code, message, subject: { serverName, ...registration } };
    return {
      debts: [...context.debts, debt],
      payload: withProxy(context, () => ({ registration: null })),
    };
  }),
] as const;
