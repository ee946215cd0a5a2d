import { getNextTransitions, initialTransition, type SnapshotFrom } from 'xstate';

import { createTransition } from '../../src/actors/transition.ts';
import type { TargetKind } from '../../src/machines/instance/edge-types.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import type { InstanceInput } from '../../src/machines/instance/types.ts';
import { sampleInput, samplePlan } from './instance-model.ts';

export type Snapshot = SnapshotFrom<typeof instanceMachine>;
interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

export const step = createTransition(instanceMachine);

/** A life that can be played on: each answer is given to the call that is in flight. */
export function begin(input: Partial<InstanceInput> = {}) {
  let snapshot: Snapshot = initialTransition(instanceMachine, sampleInput(input))[0];
  const effects: string[] = [];
  const send = (event: Event) => {
    const [next, actions] = step(snapshot, { at: 7, ...event } as Event);
    snapshot = next;
    for (const { type, params } of actions) {
      if (type === 'effect') effects.push((params as { effect: { kind: string } }).effect.kind);
    }
  };
  const answer = (type: string, fields: object = {}) => {
    const { host, agent } = snapshot.context.ops;
    send({ type, opId: (type.startsWith('agent.') ? agent : host)?.id, ...fields });
  };
  /** Answers the call to a third party of the edge. */
  const end = (lane: TargetKind | 'proxy', type: string, fields: object = {}) => {
    const { proxy, edge } = snapshot.context.ops;
    const op = lane === 'proxy' ? proxy : edge[lane];
    if (!op) throw new Error(`no call to ${lane} is in flight`);
    send({ type, opId: op.id, ...fields });
  };
  const fail = (lane: 'host' | 'agent', retryable: boolean) =>
    send({
      type: 'effect.failed',
      opId: snapshot.context.ops[lane]?.id,
      code: 'no_space',
      message: 'no space left',
      retryable,
    });
  const pass = (timer: string) => {
    const due = getNextTransitions(snapshot).find(({ eventType }) =>
      eventType.startsWith(`xstate.after.${timer}.`),
    );
    if (!due) throw new Error(`no timer ${timer} runs`);
    send({ type: due.eventType });
  };
  const live = {
    send,
    answer,
    end,
    fail,
    pass,
    effects,
    get state() {
      return snapshot;
    },
  };
  return live;
}

export const observed = (condition: string) => ({
  type: 'agent.observed',
  condition,
  readySource: condition === 'ready' ? 'minecraft_ping' : null,
  installStep: null,
  state: null,
  crashCount: null,
});
export const sighted = (power: string, more: object = {}) => ({
  type: 'host.observed',
  power,
  node: 'pve1',
  lock: null,
  opId: null,
  ...more,
});
export const power = (verb: 'start' | 'stop' | 'restart', operationId = 'op-2') => ({
  type: `${verb}.requested`,
  operationId,
  requestedBy: 'c-1',
});
export const removal = { type: 'delete.requested', operationId: 'op-2', requestedBy: 'c-1' };

/** Up to the point where the agent installs. */
export function install(input: Partial<InstanceInput> = {}) {
  const life = begin(input);
  life.answer('container.cloned', { node: 'pve1' });
  life.answer('container.configured');
  life.answer('container.started');
  life.answer('address.found', { ip: '10.0.0.5' });
  life.answer('agent.configured');
  return life;
}

/** In service. */
export function serve() {
  const life = install();
  life.send(observed('ready'));
  life.effects.length = 0;
  return life;
}

/** In service, and published by two DNS servers and Velocity, or about to be. */
export function published({ until }: { readonly until?: 'ready' } = {}) {
  const life = install({ plan: samplePlan(2) });
  life.effects.length = 0;
  life.send(observed('ready'));
  if (until === 'ready') return life;
  life.end('public_dns', 'target.published');
  life.end('internal_dns', 'target.published');
  life.end('proxy', 'proxy.registered', { isVerified: true });
  life.effects.length = 0;
  return life;
}
