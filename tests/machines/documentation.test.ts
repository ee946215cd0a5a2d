import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';

import { renderMachine } from '../../scripts/generate/machines.ts';
import { descendantsOf, HEAD } from '../../scripts/generate/state-rows.ts';
import { meetStates } from '../../scripts/generate/walk.ts';
import { definitions } from '../../src/machines/index.ts';

type Rows = ReadonlyMap<string, readonly string[]>;

/** The cells of each state, by region and name. */
function readRows(text: string): Rows {
  const rows = new Map<string, readonly string[]>();
  for (const part of text.split('\n## ').slice(1)) {
    const [region = '', ...lines] = part.split('\n');
    for (const line of lines.filter((one) => one.startsWith('| `'))) {
      const cells = line.slice(2, -2).split(' | ');
      rows.set(`${region}.${cells[0]?.replaceAll('`', '')}`, cells);
    }
  }
  return rows;
}

const namesOf = (machine: AnyStateMachine): string[] =>
  descendantsOf(machine.root)
    .filter(({ path }) => path.length > 1)
    .map(({ path }) => path.join('.'));

const documented = (name: string): Rows =>
  readRows(readFileSync(`docs/machines/${name}.md`, 'utf8'));

test.each(Object.entries(definitions))(
  'every state of the %s machine has a row, and every row says everything',
  (name, { machine }) => {
    const rows = documented(name);

    expect([...rows.keys()].toSorted()).toEqual(namesOf(machine).toSorted());
    for (const cells of rows.values()) {
      expect(cells).toHaveLength(HEAD.length);
      expect(cells.filter((text) => text.trim() === '')).toEqual([]);
    }
  },
);

const cellOf = (rows: Rows, state: string, column: (typeof HEAD)[number]): string =>
  rows.get(state)?.[HEAD.indexOf(column)] ?? '';

test('a row says how a state is entered, by all ways, and what is seen of it', () => {
  const rows = documented('instance');

  const entries = cellOf(rows, 'host.stopping', 'how it is entered');
  expect(entries).toContain('stop.requested [mayStop] ← `running`');
  expect(entries).toContain('always [isStopDemanded] ← `running`');
  expect(cellOf(rows, 'host.stopping.shuttingDown', 'how it is entered')).toBe(
    'first of `stopping`',
  );
  expect(cellOf(rows, 'host.unknown', 'how it is entered')).toContain(
    'host.observed [isSeen unknown and isAtRest] ← `stopped` (to `unknown.waiting`)',
  );
  expect(cellOf(rows, 'host.stopping', 'what the user sees')).toMatch(
    /^`stopping`<br>HostRunning .*<br>stop, step shutdown<br>may: /,
  );
  expect(cellOf(rows, 'provisioning.cloning', 'how it is entered')).toContain('at first');
  expect(cellOf(rows, 'host.starting', 'deadline')).toBe('startDeadline: 5 min');
  const billing = documented('subscription');
  expect(cellOf(billing, 'standing.suspended', 'what the user sees')).toContain(
    'orders: refused, account_suspended',
  );
});

function createToy(working: object, more: object = {}): AnyStateMachine {
  return createMachine({
    id: 'toy',
    type: 'parallel',
    states: {
      work: {
        initial: 'idle',
        states: {
          idle: { description: 'Nothing', on: { 'work.requested': 'working' } },
          working: { on: { 'work.done': 'idle' }, ...working },
          ...more,
        },
      },
    },
  });
}

const seen = (...names: string[]) => new Map(names.map((name) => [`toy.work.${name}`, '`so`']));

test('a state that nobody describes, enters or sees is an error that names it', () => {
  const described = createToy({ description: 'At it' });
  const lost = createToy({ description: 'At it' }, { lost: { description: 'Lost' } });

  expect(() => renderMachine('toy', described, seen('idle', 'working'))).not.toThrow();
  expect(() => renderMachine('toy', createToy({}), seen('idle', 'working'))).toThrow(
    'nobody can say of toy.work.working: meaning',
  );
  expect(() => renderMachine('toy', described, seen('idle'))).toThrow(
    'nobody can say of toy.work.working: what the user sees',
  );
  expect(() => renderMachine('toy', lost, seen('idle', 'working', 'lost'))).toThrow(
    'nobody can say of toy.work.lost: how it is entered',
  );
});

test('a walk meets each state on the shortest way, and not what cannot be reached', () => {
  const machine = createToy({ description: 'At it' }, { lost: { description: 'Lost' } });
  const first = machine.resolveState({ value: { work: 'idle' }, context: {} });
  const events = () => [{ type: 'work.requested' }, { type: 'work.done' }];

  const met = meetStates({ machine, events, marksOf: () => '' }, first, [
    ...['toy.work.idle', 'toy.work.working', 'toy.work.lost'],
  ]);

  expect([...met.keys()]).toEqual(['toy.work.idle', 'toy.work.working']);
});
