import { isLate } from './edge-rules.ts';
import type { ProxyReport } from './edge-types.ts';
import type { InstanceContext, InstanceEvent } from './types.ts';

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

/** Guards that look at what Velocity says and at nothing else. */
export const PROXY_RULES = {
  isLateReport: ({ context, event }: Scope) =>
    event.type === 'proxy.reported' && isLate(context.payload.proxy, event),
  isReport: ({ event }: Scope, params: { status: ProxyReport['status'] }) =>
    event.type === 'proxy.reported' && event.status === params.status,
  isFreshRegistration: ({ event }: Scope) =>
    event.type === 'proxy.reported' && event.status === 'registered_with_proxy' && !event.duplicate,
  wasReported: ({ context }: Scope, params: { status: ProxyReport['status'] }) =>
    context.payload.proxy?.report?.status === params.status,
  isVerified: ({ event }: Scope) => event.type === 'proxy.registered' && event.isVerified,
  isListed: ({ context, event }: Scope, params: { as: 'registered' | 'missing' | 'elsewhere' }) => {
    const registration = context.payload.proxy?.registration;
    return (
      event.type === 'proxy.observed' &&
      event.registration === params.as &&
      event.address === registration?.address &&
      event.port === registration.port
    );
  },
};
