import type { TargetKind } from './edge-types.ts';
import type { Effect, InstanceContext, Lane, Op, Ops } from './types.ts';

const LANES: Readonly<Record<string, Lane>> = {
  container: 'host',
  agent: 'agent',
  proxy: 'proxy',
  backup: 'backup',
};

/** An effect's kind begins with whom it is for. */
function laneOf({ kind }: Effect): Lane {
  const whom = kind.slice(0, kind.indexOf('.'));
  return LANES[whom] ?? (whom as TargetKind);
}

function opIn({ edge, ...single }: Ops, lane: Lane): Op | null {
  return lane in single ? single[lane as keyof typeof single] : (edge[lane as TargetKind] ?? null);
}

/** The call in flight that an effect belongs to; null once nobody waits for it any more. */
export function callOf({ ops }: InstanceContext, effect: Effect): Op | null {
  const op = opIn(ops, laneOf(effect));
  return op?.id === effect.opId ? op : null;
}

/** All calls in flight, with whom they are made to. */
export function listCalls({ edge, ...single }: Ops): readonly { lane: Lane; op: Op }[] {
  const entries = Object.entries({ ...single, ...edge }) as [Lane, Op | null][];
  return entries.flatMap(([lane, op]) => (op ? [{ lane, op }] : []));
}
