import { and } from 'xstate';

import type { ProxyReport } from '../edge-types.ts';
import {
  beginRegister,
  beginUnregister,
  countForgotten,
  endRegister,
  endUnregister,
  failProxy,
  noteLate,
  oweProxy,
  releaseProxyLane,
  rememberReport,
} from '../proxy-steps.ts';
import { instanceSetup } from '../setup.ts';
import { resetAttempts } from '../steps.ts';

const says = (status: ProxyReport['status']) => ({ type: 'isReport', params: { status } }) as const;
const said = (status: ProxyReport['status']) =>
  ({ type: 'wasReported', params: { status } }) as const;
const listed = (as: 'registered' | 'missing' | 'elsewhere') =>
  ({ type: 'isListed', params: { as } }) as const;

const late = { guard: 'isLateReport', actions: noteLate } as const;
const isWithdrawn = {
  guard: 'isRegistrationStale',
  target: '#instance.proxy.unregistering',
} as const;
const forgotten = (['missing', 'elsewhere'] as const).map((as) => ({
  guard: listed(as),
  target: '#instance.proxy.registering' as const,
  actions: countForgotten,
}));
const pings = [
  { guard: says('proxy_ping_ok'), target: '#instance.proxy.ping_ok', actions: rememberReport },
  {
    guard: says('proxy_ping_failed'),
    target: '#instance.proxy.ping_failed',
    actions: rememberReport,
  },
] as const;
/** Whoever says that it was registered just now has not pinged it since. */
const renewed = {
  guard: 'isFreshRegistration',
  target: '#instance.proxy.registered',
  actions: rememberReport,
} as const;

/** The name leads to the container; what the bridge says of it moves the region. */
const leading = {
  always: isWithdrawn,
  on: {
    'proxy.reported': [late, ...pings, renewed, { actions: rememberReport }],
    'proxy.observed': forgotten,
  },
} as const;

/**
 * Proxy: does Velocity lead players to this container, and has it reached it? A registration
 * belongs to one address: as soon as that is not the container's any more, or not known to be,
 * it is taken back, since by then the address may be somebody else's.
 */
export const proxy = instanceSetup.createStateConfig({
  initial: 'none',
  always: { guard: 'isProxyOverdue', target: '.none', actions: oweProxy },
  states: {
    none: {
      description: 'Velocity does not know it',
      always: { guard: 'isRegistrationDemanded', target: 'registering' },
      on: { 'proxy.reported': late },
    },
    registering: {
      description: 'Velocity is told where it is',
      tags: 'transient',
      entry: resetAttempts('proxy'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginRegister,
          after: { registerDeadline: { target: 'pausing', actions: failProxy('register') } },
        },
        pausing: {
          description: 'Velocity did not take it; it is told again in a moment',
          entry: releaseProxyLane,
          always: isWithdrawn,
          after: { proxyPause: 'performing' },
        },
      },
      on: {
        // The bridge may report before it answers: what it said by then counts.
        'proxy.registered': [
          {
            guard: and(['isProxyOp', said('proxy_ping_ok')]),
            target: 'ping_ok',
            actions: endRegister,
          },
          {
            guard: and(['isProxyOp', said('proxy_ping_failed')]),
            target: 'ping_failed',
            actions: endRegister,
          },
          { guard: and(['isProxyOp', 'isVerified']), target: 'registered', actions: endRegister },
          { guard: 'isProxyOp', target: 'unverifiable', actions: endRegister },
        ],
        'effect.failed': {
          guard: 'isProxyOp',
          target: '.pausing',
          actions: failProxy('register'),
        },
        'proxy.reported': [late, { actions: rememberReport }],
      },
    },
    registered: {
      description: 'Velocity leads to it, and has not said yet whether it answers',
      ...leading,
    },
    ping_ok: { description: 'Velocity has reached it', ...leading },
    ping_failed: { description: 'Velocity leads to it, and cannot reach it', ...leading },
    unverifiable: {
      description: 'Velocity has acknowledged it; an older bridge does not list what it knows',
      ...leading,
      on: {
        'proxy.reported': [
          late,
          ...pings,
          {
            guard: says('registered_with_proxy'),
            target: 'registered',
            actions: rememberReport,
          },
        ],
        'proxy.observed': [...forgotten, { guard: listed('registered'), target: 'registered' }],
      },
    },
    unregistering: {
      description: 'Velocity is told to forget it',
      tags: 'transient',
      entry: resetAttempts('proxy'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginUnregister,
          after: { registerDeadline: { target: 'pausing', actions: failProxy('unregister') } },
        },
        pausing: {
          description: 'Velocity did not say that it has; it is told again in a moment',
          entry: releaseProxyLane,
          always: { guard: 'mayOweProxy', target: '#instance.proxy.none', actions: oweProxy },
          after: { proxyPause: 'performing' },
        },
      },
      on: {
        'proxy.unregistered': { guard: 'isProxyOp', target: 'none', actions: endUnregister },
        'effect.failed': {
          guard: 'isProxyOp',
          target: '.pausing',
          actions: failProxy('unregister'),
        },
        'proxy.reported': { actions: noteLate },
      },
    },
  },
});
