import type { InstanceState, Unseen } from './status.ts';
import { nameOf, SEEN } from './status.ts';
import type { InstanceContext } from './types.ts';

/** Can players of a Minecraft server join it, and where does the way end if they cannot? */

export type Verdict =
  | 'connectable'
  | 'starting'
  | 'not_registered'
  | 'backend_unreachable'
  | 'unpublished'
  | 'unknown';

type HopState = 'ok' | 'pending' | 'failed' | 'unknown';

export interface Hop {
  readonly hop: 'agent' | 'edge' | 'velocity' | 'ping';
  readonly state: HopState;
  /** What says so, as a stable word. */
  readonly evidence: string;
  /** When that was so for the first time, or was last reported; null: never. */
  readonly observedAt: number | null;
}

export interface Connection {
  readonly verdict: Verdict;
  /** In the order in which a player passes them, from the outside in; the agent is at the end. */
  readonly hops: readonly Hop[];
}

/** null: it is no Minecraft server. */
export function describeConnection(
  { value, context, since }: InstanceState,
  unseen: Unseen = SEEN,
): Connection | null {
  if (context.payload.game !== 'minecraft') return null;
  const names = Object.fromEntries(
    ['provisioning', 'host', 'agent', 'edge', 'proxy'].map((region) => [
      region,
      nameOf(value[region]),
    ]),
  ) as unknown as Regions;
  const at = (region: keyof Regions) => since[region] ?? null;
  const agent = agentHop(names, context, unseen);
  const edge = edgeHop(names, context);
  const velocity = velocityHop(names);
  const ping = pingHop(names, context, agent.state);
  const { registration = null, report = null, pingedAt = null } = context.payload.proxy ?? {};
  const registeredAt = latest(report?.receivedAt ?? null, registration?.since ?? null);
  return {
    verdict: judge({ agent, edge, velocity, ping }, names),
    hops: [
      { hop: 'edge', ...edge, observedAt: at('edge') },
      { hop: 'velocity', ...velocity, observedAt: registeredAt ?? at('proxy') },
      { hop: 'ping', ...ping, observedAt: pingedAt ?? (ping.state === 'ok' ? at('agent') : null) },
      { hop: 'agent', ...agent, observedAt: at('agent') },
    ],
  };
}

interface Regions {
  readonly provisioning: string;
  readonly host: string;
  readonly agent: string;
  readonly edge: string;
  readonly proxy: string;
}

type Sight = Pick<Hop, 'state' | 'evidence'>;

const latest = (a: number | null, b: number | null) =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

const AGENT: Readonly<Record<string, HopState>> = {
  ready: 'ok',
  alive: 'pending',
  unknown: 'pending',
  crashed: 'failed',
  unreachable: 'unknown',
};
/** The container itself, while that keeps the agent from being ready. */
const HOST: Readonly<Record<string, HopState>> = {
  stopped: 'failed',
  absent: 'failed',
  stopping: 'failed',
  starting: 'pending',
  restarting: 'pending',
  unknown: 'unknown',
};

function agentHop(
  { host, agent }: Regions,
  { agent: { readySource } }: InstanceContext,
  unseen: Unseen,
): Sight {
  if (unseen.host || unseen.agent) return { state: 'unknown', evidence: 'not_observed' };
  const off = HOST[host];
  if (off) return { state: off, evidence: `host_${host}` };
  const state = AGENT[agent] ?? 'unknown';
  return { state, evidence: state === 'ok' ? (readySource ?? 'ready') : agent };
}

/** Whoever is outside finds the name by public DNS; without one, by whatever DNS there is. */
function edgeHop({ edge }: Regions, { payload }: InstanceContext): Sight {
  const targets = payload.edge?.targets ?? [];
  const names = targets.filter(({ spec }) => spec.kind.endsWith('_dns'));
  const open = names.filter(({ spec }) => spec.kind === 'public_dns');
  const needed = open.length > 0 ? open : names;
  if (edge === 'unpublished' || edge === 'unpublishing') return { state: 'failed', evidence: edge };
  if (edge === 'published') return { state: 'ok', evidence: edge };
  if (needed.every(({ state }) => state === 'published')) return { state: 'ok', evidence: edge };
  return { state: edge === 'publishing' ? 'pending' : 'failed', evidence: edge };
}

const VELOCITY: Readonly<Record<string, HopState>> = {
  registered: 'ok',
  ping_ok: 'ok',
  ping_failed: 'ok',
  unverifiable: 'ok',
  registering: 'pending',
};

const velocityHop = ({ proxy }: Regions): Sight => ({
  state: VELOCITY[proxy] ?? 'failed',
  evidence: proxy,
});

/** What Velocity says of the backend counts most; else the agent's own ping of the game does. */
function pingHop({ proxy }: Regions, { agent }: InstanceContext, ready: HopState): Sight {
  if (proxy === 'ping_ok') return { state: 'ok', evidence: 'proxy_ping_ok' };
  if (proxy === 'ping_failed') return { state: 'failed', evidence: 'proxy_ping_failed' };
  if (ready === 'ok' && agent.readySource === 'minecraft_ping') {
    return { state: 'ok', evidence: 'minecraft_ping' };
  }
  return { state: 'unknown', evidence: 'no_ping' };
}

/** docs/connection.md has it as a table; tests/machines/connection.test.ts tries every row. */
function judge(
  { agent, edge, velocity, ping }: Readonly<Record<Hop['hop'], Sight>>,
  { provisioning }: Regions,
): Verdict {
  if (provisioning !== 'ready') return GONE.has(provisioning) ? 'unpublished' : 'starting';
  if (edge.state === 'failed') return 'unpublished';
  if (agent.state === 'unknown') return 'unknown';
  if (agent.state === 'failed') return 'backend_unreachable';
  if (agent.state === 'pending' || edge.state === 'pending') return 'starting';
  if (velocity.state !== 'ok') return 'not_registered';
  if (ping.state === 'ok') return 'connectable';
  return ping.state === 'failed' ? 'backend_unreachable' : 'unknown';
}

const GONE: ReadonlySet<string> = new Set(['failed', 'deleting', 'deleted']);
