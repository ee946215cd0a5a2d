import { viewConditions, viewStatus } from '../../src/http/server-view.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { type Condition, nameOf } from '../../src/machines/instance/status.ts';
import type { Instance } from '../../src/storage/instances.ts';
import {
  type InstanceSnapshot,
  isPlain,
  sampleInput,
  samplePlan,
  worldEvents,
} from '../../tests/support/instance-model.ts';
import { maintenanceEvents } from '../../tests/support/maintenance-model.ts';
import type { Sights } from './state-rows.ts';
import { birthOf, meetFromEither, regionOf, type Walk, walkFrom } from './walk.ts';

type Region = keyof InstanceSnapshot['value'];
type Status = ReturnType<typeof viewStatus>;

/** The condition that a region moves. The compiler asks for one of each region. */
const CONDITIONS: Readonly<Record<Region, Condition['type']>> = {
  provisioning: 'Provisioned',
  agent: 'AgentReady',
  host: 'HostRunning',
  recovery: 'AgentReady',
  edge: 'EdgePublished',
  proxy: 'ProxyRegistered',
  entitlement: 'Entitled',
  maintenance: 'Maintenance',
};

interface Operation {
  readonly kind: string;
  readonly state: string;
  readonly step: string;
}

const doing = (operation: Operation | null): string | null =>
  operation?.state === 'running' ? `${operation.kind}, step ${operation.step}` : null;
const verdict = ({ connection }: Status) => connection && `players: ${connection.verdict}`;

/** What else of the status says how far a region has come. */
const PROGRESS: Readonly<Record<Region, (status: Status) => string | null>> = {
  provisioning: ({ installStep }) => installStep && `step ${installStep}`,
  agent: verdict,
  host: ({ hostOperation }) => doing(hostOperation),
  recovery: () => null,
  edge: ({ edge }) =>
    (edge?.targets ?? []).map(({ kind, state }) => `${kind} ${state}`).join(', ') || null,
  proxy: verdict,
  entitlement: () => null,
  maintenance: ({ maintenance }) => doing(maintenance.operation),
};

/** What touches one region only goes before what touches all of them. */
const ORDER = [/^(start|stop|restart)\./, /^entitlement\./, /^delete\./];
const rankOf = ({ type }: { readonly type: string }): number =>
  ORDER.findIndex((pattern) => pattern.test(type));

/** The model says `x` where the world says something. */
const inWords = (event: { readonly type: string; readonly [field: string]: unknown }) => ({
  ...event,
  ...(event['message'] === 'x' && { message: '(why)' }),
  ...(event['code'] === 'x' && { code: '(why)' }),
});

const walk: Walk<InstanceSnapshot> = {
  machine: instanceMachine,
  events: (snapshot) =>
    [...worldEvents(snapshot), ...maintenanceEvents(snapshot.context)]
      // An answer to no call is for tests: it changes nothing.
      .filter((event) => (({ ...event }) as { opId?: unknown }).opId !== 'stale')
      .map((event) => inWords({ ...event }))
      .toSorted((a, b) => rankOf(a) - rankOf(b)),
  marksOf({ value, context: { maintenance, restartedAt, payload } }, region) {
    if (region === 'edge') {
      const { isWanted, next = null, targets = [] } = payload.edge ?? {};
      return `${isWanted} ${next !== null} ${targets.map(({ state }) => state)}`;
    }
    if (region === 'recovery') return String(restartedAt.length);
    if (region !== 'maintenance') return '';
    // What it owes it does only where the host region can take it.
    const host = nameOf(value.maintenance) === 'owing' ? JSON.stringify(value.host) : '';
    return `${maintenance.wasRunning} ${host}`;
  },
};

/** All goes as it ought to, until players can join. */
const toService: Walk<InstanceSnapshot> = {
  ...walk,
  events: (snapshot) =>
    walk
      .events(snapshot)
      .filter(
        (event) => isPlain({ ...event }, snapshot.context) || /^(target|proxy)\./.test(event.type),
      ),
  marksOf: ({ value }) => JSON.stringify(value),
};

const isInService = ({ value, context }: InstanceSnapshot): boolean =>
  viewStatus(instanceOf({ value, context })).connection?.verdict === 'connectable';

/** What the Portal is told of an instance in each state of its machine, by the API's own views. */
export function instanceSights(): Sights {
  const born = birthOf(walk, sampleInput({ plan: samplePlan(1) }));
  const served = walkFrom(toService, born).find(isInService);
  if (!served) throw new Error('no way leads to an instance in service');
  const met = meetFromEither(walk, [served, born]);
  return new Map(
    [...met].map(([id, snapshot]) => [id, describe(snapshot, regionOf(id) as Region)]),
  );
}

const EPOCH = new Date(0);

const instanceOf = (state: Pick<InstanceSnapshot, 'value' | 'context'>): Instance => ({
  ...{ id: state.context.id, vmid: state.context.vmid, version: 1 },
  ...{ createdAt: EPOCH, updatedAt: EPOCH },
  state: { ...state, since: {} },
});

function describe({ value, context }: InstanceSnapshot, region: Region): string {
  const instance = instanceOf({ value, context });
  const status = viewStatus(instance);
  const condition = viewConditions(instance).find(({ type }) => type === CONDITIONS[region]);
  const progress = PROGRESS[region](status);
  const { allowedActions } = status;
  return [
    `\`${status.status}\``,
    ...(condition ? [`${condition.type} ${condition.status}: ${condition.message}`] : []),
    ...(progress ? [progress] : []),
    `may: ${allowedActions.length === 0 ? 'nothing' : allowedActions.join(', ')}`,
  ].join('<br>');
}
