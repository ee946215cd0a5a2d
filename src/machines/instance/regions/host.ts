import { and, not } from 'xstate';

import { instanceSetup } from '../setup.ts';
import {
  at,
  beginHostOp,
  failHost,
  releaseHostLane,
  rememberTask,
  resetAttempts,
} from '../steps.ts';

const H = { region: 'host' } as const;
const seen = (power: 'running' | 'stopped' | 'absent') =>
  ({ type: 'isSeen', params: { power } }) as const;

const observations = (['running', 'stopped', 'absent'] as const).map((power) => ({
  guard: seen(power),
  target: `#instance.host.${power}`,
  actions: releaseHostLane,
}));

/**
 * Host: is the container on? What we see on Proxmox wins over what we believed, except while a
 * call of ours is in flight. After a call whose outcome we cannot tell, the region is `unknown`
 * and looks, instead of guessing. Whoever wants power says so through a guard; nobody else
 * starts or stops the container.
 */
export const host = instanceSetup.createStateConfig({
  initial: 'absent',
  on: { 'container.destroyed': { guard: 'isHostOp', target: '.absent' } },
  // While it is being destroyed nobody powers it, and what a sweep sees of it is old news.
  always: { guard: 'isToBeAbandoned', target: '.unknown.abandoned' },
  states: {
    absent: {
      description: 'There is no container',
      on: {
        'container.cloned': { guard: 'isHostOp', target: 'stopped' },
        'host.observed': [
          { guard: and([seen('running'), not('isDoomed')]), target: 'running' },
          { guard: and([seen('stopped'), not('isDoomed')]), target: 'stopped' },
        ],
      },
    },
    stopped: {
      description: 'Off',
      always: { guard: 'isStartDemanded', target: 'starting' },
      on: {
        'host.observed': [
          { guard: and([seen('running'), not('isDoomed')]), target: 'running' },
          { guard: seen('absent'), target: 'absent' },
        ],
      },
    },
    starting: {
      description: 'Being started',
      tags: 'transient',
      entry: resetAttempts('host'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginHostOp('host', 'start', 'container.start', at),
        },
        pausing: {
          entry: releaseHostLane,
          always: { guard: 'isDoomed', target: '#instance.host.unknown' },
          after: { hostPause: 'performing' },
        },
      },
      on: {
        'task.started': { guard: 'isHostOp', actions: rememberTask },
        'container.started': { guard: 'isHostOp', target: 'running', actions: releaseHostLane },
        'effect.failed': [
          { guard: { type: 'mayRepeat', params: H }, target: '.pausing' },
          { guard: 'isHostOp', target: 'unknown', actions: failHost('start') },
        ],
      },
      after: { startDeadline: { target: 'unknown', actions: failHost('start') } },
    },
    running: {
      description: 'On',
      always: { guard: 'isStopDemanded', target: 'stopping' },
      on: {
        'host.observed': [
          { guard: seen('stopped'), target: 'stopped' },
          { guard: seen('absent'), target: 'absent' },
        ],
      },
    },
    stopping: {
      description: 'Being shut down; if that takes too long, stopped hard',
      tags: 'transient',
      entry: resetAttempts('host'),
      initial: 'performing',
      states: {
        performing: { entry: beginHostOp('host', 'stop', 'container.stop', at) },
        pausing: { entry: releaseHostLane, after: { hostPause: 'performing' } },
      },
      on: {
        'task.started': { guard: 'isHostOp', actions: rememberTask },
        'container.stopped': { guard: 'isHostOp', target: 'stopped', actions: releaseHostLane },
        'effect.failed': [
          { guard: { type: 'mayRepeat', params: H }, target: '.pausing' },
          { guard: 'isHostOp', target: 'unknown', actions: failHost('stop') },
        ],
      },
      after: { stopDeadline: { target: 'unknown', actions: failHost('stop') } },
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
