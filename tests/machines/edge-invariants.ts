import type { InstanceSnapshot } from '../support/instance-model.ts';

type Invariant = (snapshot: InstanceSnapshot) => boolean;

const REGISTERED: readonly unknown[] = ['registered', 'ping_ok', 'ping_failed', 'unverifiable'];
const HELD: readonly unknown[] = ['published', 'degraded', 'failed'];

const targetsOf = ({ context }: InstanceSnapshot) => context.payload.edge?.targets ?? [];
const isOwed = ({ context }: InstanceSnapshot, kind: string) =>
  context.debts.some((debt) => debt.kind === kind);
const isRemoving = (s: InstanceSnapshot) =>
  s.matches({ edge: { unpublishing: 'removing' } } as never);

/** Of edge and proxy. The names are the invariants of ARCHITECTURE.md. */
export const EDGE_INVARIANTS: Readonly<Record<string, Invariant>> = {
  'INV-23 what is published is in service, and so was ready': (s) =>
    (!HELD.includes(s.value.edge) && s.value.edge !== 'publishing') ||
    s.value.provisioning === 'ready',
  'INV-24 a registration leads to where the container is now': (s) =>
    !REGISTERED.includes(s.value.proxy) ||
    (s.context.ip !== null && s.context.payload.proxy?.registration?.address === s.context.ip),
  'INV-25 deleted means that nothing is known of it outside, or owed': (s) =>
    s.value.provisioning !== 'deleted' ||
    (s.value.proxy === 'none' &&
      (s.context.payload.proxy?.registration ?? null) === null &&
      targetsOf(s).every(
        ({ spec, state }) => state === 'absent' || (state === 'owed' && isOwed(s, spec.kind)),
      )),
  'INV-26 a target is being changed exactly while a call to it is in flight': (s) =>
    targetsOf(s).every(
      ({ spec, state }) =>
        (state === 'publishing' || state === 'removing') ===
        (s.context.ops.edge[spec.kind] !== undefined),
    ),
  'INV-27 what is being removed is not being published': (s) =>
    !isRemoving(s) || Object.values(s.context.ops.edge).every(({ kind }) => kind === 'remove'),
  'INV-28 published means that every target has it': (s) =>
    s.value.edge !== 'published' || targetsOf(s).every(({ state }) => state === 'published'),
  'INV-29 a call to the bridge is in flight exactly while a state performs it': (s) =>
    (s.context.ops.proxy !== null) ===
    (s.matches({ proxy: { registering: 'performing' } }) ||
      s.matches({ proxy: { unregistering: 'performing' } })),
  'INV-30 unpublished means that no target has it, or that it is owed': (s) =>
    s.value.edge !== 'unpublished' ||
    targetsOf(s).every(({ state }) => state === 'absent' || state === 'owed'),
  'INV-31 at rest no call to a target is in flight': (s) =>
    (!HELD.includes(s.value.edge) && s.value.edge !== 'unpublished') ||
    Object.keys(s.context.ops.edge).length === 0,
};
