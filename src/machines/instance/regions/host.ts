import { and, not } from 'xstate';

import {
  acceptPower,
  beginPower,
  demandPower,
  failHost,
  recognize,
  rememberAddress,
  sight,
  succeedHost,
  supersedeHost,
} from '../power-steps.ts';
import { instanceSetup } from '../setup.ts';
import {
  at,
  beginHostOp,
  noteSetback,
  releaseHostLane,
  rememberTask,
  resetAttempts,
} from '../steps.ts';
import type { Power } from '../types.ts';

const seen = (power: Power) => ({ type: 'isSeen', params: { power } }) as const;
const old = (power: Power) => ({ type: 'isHostOldNews', params: { power } }) as const;

/** What the answer to our own question says, or a sweep meanwhile. */
const observations = (['running', 'stopped', 'absent'] as const).map((power) => ({
  guard: seen(power),
  target: `#instance.host.${power}`,
  actions: [releaseHostLane, recognize],
}));

const vanishes = {
  guard: seen('absent'),
  target: '#instance.host.absent',
  actions: sight('vanished'),
} as const;
const goesOffline = {
  guard: and([seen('unknown'), 'isAtRest']),
  target: '#instance.host.unknown.waiting',
  actions: sight('node_offline'),
} as const;

/** Between two attempts of a call that a deletion has made pointless. */
const superseded = {
  guard: 'isDoomed',
  target: '#instance.host.unknown',
  actions: supersedeHost,
} as const;
/** Proxmox works on it and does not come to an end. While it was not asked, no plug is pulled. */
const isOverdue = <State extends string>(state: State) =>
  ({
    after: {
      shutdownDeadline: { guard: 'hasBegun', target: `#instance.host.${state}.halting` },
    },
  }) as const;
const performAgain = { after: { hostPause: 'performing' } } as const;
const isGone = {
  guard: 'isContainerGone',
  target: '#instance.host.unknown',
  actions: failHost,
} as const;
const isFailed = {
  guard: 'isHostOp',
  target: '#instance.host.unknown',
  actions: failHost,
} as const;
const repeats = {
  guard: 'mayRepeatPower',
  target: '.pausing',
  actions: noteSetback('host'),
} as const;

/** One call for power, repeated with pauses until the deadline of the state around it. */
const started = {
  initial: 'performing',
  states: {
    performing: { entry: beginPower('start') },
    pausing: { entry: releaseHostLane, always: superseded, ...performAgain },
  },
  on: {
    'container.started': {
      guard: 'isHostOp',
      target: '#instance.host.running',
      actions: succeedHost,
    },
    'effect.failed': [repeats, isFailed],
  },
} as const;

/**
 * Host: is the container on? Each change of power is one operation with one end. What we see on
 * Proxmox wins over what we believed, except while a call of ours is in flight. After a call
 * whose outcome we cannot tell, the region is `unknown` and looks, instead of guessing. Whoever
 * wants power says so by a wish or a guard; nobody else starts or stops the container.
 */
export const host = instanceSetup.createStateConfig({
  initial: 'absent',
  on: {
    'container.destroyed': { guard: 'isHostOp', target: '.absent' },
    'task.started': { guard: 'isPowerOp', actions: rememberTask },
  },
  // While it is being destroyed nobody powers it, and what a sweep sees of it is old news.
  always: { guard: 'isToBeAbandoned', target: '.unknown.abandoned', actions: supersedeHost },
  states: {
    absent: {
      description: 'There is no container',
      on: {
        'container.cloned': { guard: 'isHostOp', target: 'stopped' },
        'host.observed': [
          {
            guard: and([seen('running'), not('isDoomed')]),
            target: 'running',
            actions: sight('appeared'),
          },
          {
            guard: and([seen('stopped'), not('isDoomed')]),
            target: 'stopped',
            actions: sight('appeared'),
          },
        ],
      },
    },
    stopped: {
      description: 'Off',
      always: [
        { guard: 'isStartDemanded', target: 'starting', actions: demandPower('start') },
        { guard: 'isResumeDemanded', target: 'starting', actions: demandPower('start', 'billing') },
        { guard: 'isStartOwed', target: 'starting', actions: demandPower('start', 'maintenance') },
      ],
      on: {
        'start.requested': { guard: 'mayPower', target: 'starting', actions: acceptPower('start') },
        'host.observed': [
          { guard: old('stopped'), actions: [] },
          {
            guard: and([seen('running'), not('isDoomed')]),
            target: 'running',
            actions: sight('started_outside'),
          },
          vanishes,
          goesOffline,
          { guard: seen('stopped'), actions: sight(null) },
        ],
      },
    },
    starting: {
      description: 'Being started',
      tags: 'transient',
      entry: resetAttempts('host'),
      ...started,
      after: { startDeadline: { target: 'unknown', actions: failHost } },
    },
    running: {
      description: 'On',
      always: [
        { guard: 'isStopDemanded', target: 'stopping', actions: demandPower('stop') },
        {
          guard: 'isSuspensionDemanded',
          target: 'stopping',
          actions: demandPower('stop', 'billing'),
        },
      ],
      on: {
        'stop.requested': { guard: 'mayStop', target: 'stopping', actions: acceptPower('stop') },
        'restart.requested': {
          guard: 'mayPower',
          target: 'restarting',
          actions: acceptPower('restart'),
        },
        'host.observed': [
          { guard: old('running'), actions: [] },
          { guard: seen('stopped'), target: 'stopped', actions: sight('stopped_outside') },
          vanishes,
          goesOffline,
          { guard: seen('running'), actions: sight(null) },
        ],
        'address.found': { guard: 'isAddressNews', actions: rememberAddress },
      },
    },
    stopping: {
      description: 'Being shut down; if that takes too long, stopped hard',
      tags: 'transient',
      entry: resetAttempts('host'),
      initial: 'shuttingDown',
      states: {
        shuttingDown: {
          description: 'The container is asked to end itself',
          initial: 'performing',
          states: {
            performing: { entry: beginPower('shutdown'), ...isOverdue('stopping') },
            pausing: { entry: releaseHostLane, ...performAgain },
          },
          on: {
            'effect.failed': [repeats, isGone, { guard: 'isHostOp', target: 'halting' }],
          },
        },
        halting: {
          description: 'It did not: the plug is pulled',
          initial: 'performing',
          states: {
            performing: { entry: beginPower('stop') },
            pausing: { entry: releaseHostLane, ...performAgain },
          },
          on: { 'effect.failed': [repeats, isFailed] },
        },
      },
      on: {
        'container.stopped': { guard: 'isHostOp', target: 'stopped', actions: succeedHost },
      },
      after: { stopDeadline: { target: 'unknown', actions: failHost } },
    },
    restarting: {
      description: 'Being restarted; if it does not end itself, stopped hard and started',
      tags: 'transient',
      entry: resetAttempts('host'),
      initial: 'rebooting',
      states: {
        rebooting: {
          description: 'The container is asked to end itself and is started again',
          initial: 'performing',
          states: {
            performing: { entry: beginPower('restart'), ...isOverdue('restarting') },
            pausing: { entry: releaseHostLane, always: superseded, ...performAgain },
          },
          on: {
            'container.restarted': {
              guard: 'isHostOp',
              target: '#instance.host.running',
              actions: succeedHost,
            },
            'effect.failed': [repeats, isGone, { guard: 'isHostOp', target: 'halting' }],
          },
        },
        halting: {
          description: 'It did not: the plug is pulled',
          initial: 'performing',
          states: {
            performing: { entry: beginPower('stop') },
            pausing: { entry: releaseHostLane, always: superseded, ...performAgain },
          },
          on: {
            'container.stopped': { guard: 'isHostOp', target: 'booting' },
            'effect.failed': [repeats, isFailed],
          },
        },
        booting: { description: 'Started again', ...started },
      },
      after: { restartDeadline: { target: 'unknown', actions: failHost } },
    },
    unknown: {
      description: 'We cannot tell, and look',
      initial: 'observing',
      states: {
        observing: {
          description: 'Asking Proxmox',
          tags: 'transient',
          entry: beginHostOp('host', 'observe', 'container.observe', at),
          on: {
            'host.observed': observations,
            'effect.failed': { guard: 'isHostOp', target: 'waiting' },
          },
          after: { observeDeadline: 'waiting' },
        },
        waiting: {
          description: 'Proxmox did not say; we ask again in a moment',
          entry: releaseHostLane,
          on: { 'host.observed': observations },
          after: { observeAgain: 'observing' },
        },
        abandoned: { description: 'It is being destroyed: its power does not matter any more' },
      },
    },
  },
});
