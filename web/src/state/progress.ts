import type { JournalEntry, ServerStatus } from '../api/schema.ts';

export interface Step {
  readonly name: string;
  readonly text: string;
  readonly state: 'pending' | 'current' | 'done' | 'failed';
  /** When it began, as the journal says; null: it has not, or long ago. */
  readonly beganAt: string | null;
  readonly endedAt: string | null;
  /** What is being done in it just now. */
  readonly detail: string | null;
}

/** The steps of provisioning in their order, and the name under which each one fails. */
const STEPS = [
  ['cloning', 'clone', 'Container is made from the template'],
  ['configuring', 'configure', 'Cores, memory and network are set'],
  ['booting', 'start', 'Container starts'],
  ['addressing', 'address', 'Container gets an address'],
  ['installing', 'install', 'Software is installed'],
  ['readying', 'ready', 'Software becomes ready'],
] as const;

/** The step of a state such as `cloning.performing`. */
const stepOf = (state = ''): string => state.split('.')[0] ?? '';

/** Status and journal are read one after the other: only the agent's own words say more. */
const isStep = (word: string | null): boolean => STEPS.some(([name]) => name === word);

/** When each state of provisioning was entered last, since it was begun (again). */
function entriesOf(entries: readonly JournalEntry[]): ReadonlyMap<string, string> {
  const entered = new Map<string, string>();
  let before = '';
  for (const { at, regions } of entries.toReversed()) {
    const state = stepOf(regions['provisioning']);
    if (state === before) continue;
    // A step that is entered again is begun again, and so is whatever follows it.
    const again = STEPS.findIndex(([name]) => name === state);
    if (again >= 0) for (const [name] of STEPS.slice(again)) entered.delete(name);
    entered.set(state, at);
    before = state;
  }
  return entered;
}

/** How far the making of a server has come: only what the journal and the status say. */
export function provisioningSteps(
  { operation, installStep }: ServerStatus,
  entries: readonly JournalEntry[],
): readonly Step[] {
  const entered = entriesOf(entries);
  const present = stepOf(entries[0]?.regions['provisioning']);
  const failedAt =
    present === 'failed' ? STEPS.findIndex(([, step]) => step === operation.error?.step) : -1;
  const presentAt = present === 'ready' ? STEPS.length : STEPS.findIndex(([n]) => n === present);
  const reached = failedAt >= 0 ? failedAt : presentAt;
  return STEPS.map(([name, , text], place) => {
    const next = STEPS[place + 1]?.[0] ?? 'ready';
    const isCurrent = place === reached;
    const state = isCurrent
      ? failedAt >= 0
        ? 'failed'
        : 'current'
      : place < reached
        ? 'done'
        : 'pending';
    return {
      ...{ name, text, state },
      beganAt: entered.get(name) ?? null,
      endedAt: place < reached ? (entered.get(next) ?? null) : null,
      detail: isCurrent && !isStep(installStep) ? installStep : null,
    };
  });
}

const REACHING = {
  EdgePublished: 'Its name leads to it',
  ProxyRegistered: 'The proxy knows it',
} as const;

/** What follows when the server is ready: how it becomes known outside, region by region. */
export function reachingSteps(status: ServerStatus): readonly Step[] {
  const { conditions, connection, operation, powerState } = status;
  // What was made and is off now has come as far as it wants to.
  if (operation.state === 'succeeded' && powerState !== 'running') return [];
  const known = Object.entries(REACHING).flatMap(([type, text]) => {
    const found = conditions.find((one) => one.type === type);
    if (!found) return [];
    const state = found.status === 'True' ? 'done' : 'pending';
    const at = state === 'done' ? found.lastTransitionTime : null;
    return [{ ...{ name: type, text, beganAt: null, detail: null }, state, endedAt: at } as const];
  });
  if (!connection) return known;
  const state = connection.verdict === 'connectable' ? 'done' : 'pending';
  const at = state === 'done' ? (connection.hops.at(-1)?.observedAt ?? null) : null;
  const text = 'Players can join';
  return [
    ...known,
    { ...{ name: 'joinable', text, state, beganAt: null, endedAt: at, detail: null } } as const,
  ];
}
