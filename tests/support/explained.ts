import { getNextTransitions } from 'xstate';

import type { InstanceState } from '../../src/machines/instance/status.ts';
import { type ExplainedRegion, explainState } from '../../src/machines/instance/why.ts';
import type { Snapshot } from './instance-life.ts';

const armedIn = (snapshot: Snapshot) =>
  getNextTransitions(snapshot)
    .map(({ eventType }) => eventType)
    .filter((type) => type.startsWith('xstate.after.'))
    .map((timerId, index) => ({ timerId, dueAt: 1_000 + index }));

/** Why a state is as it is, by region; all its timers run unless others are given. */
export function explained(snapshot: Snapshot, armed = armedIn(snapshot)) {
  const { value, context } = snapshot;
  const state = { value, context, since: { provisioning: 5 } } as unknown as InstanceState;
  const regions = explainState(state, armed).map((one) => [one.region, one] as const);
  return Object.fromEntries(regions) as Record<
    'provisioning' | 'agent' | 'host' | 'recovery' | 'edge' | 'proxy',
    ExplainedRegion
  >;
}
