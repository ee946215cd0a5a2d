import { describe, expect, test } from 'vitest';
import type { AnyStateNode } from 'xstate';

import { renderChart } from '../../scripts/generate/chart.ts';
import { definitions } from '../../src/machines/index.ts';
import { layout } from '../../web/src/chart/layout.ts';
import { takenBy } from '../../web/src/chart/taken.ts';
import type { ChartRegion, ChartState } from '../../web/src/chart/types.ts';

const { machine } = definitions.instance;
const regions = Object.values(machine.root.states) as AnyStateNode[];
const descendantsOf = (node: AnyStateNode): AnyStateNode[] =>
  Object.values(node.states).flatMap((child) => [child, ...descendantsOf(child)]);
const pathOf = (node: AnyStateNode) => node.path.slice(1).join('.');
const chartOf = (name: string): ChartRegion => {
  const found = layout.find((region) => region.name === name);
  if (!found) throw new Error(`there is no chart of ${name}`);
  return found;
};

test('the pictures are of the machine as it is, and come out the same each time', async () => {
  const [first, second] = await Promise.all([renderChart(machine), renderChart(machine)]);

  expect(second).toBe(first);
  expect(first).toContain(JSON.stringify(layout[0]?.states[0]));
  expect(layout.map(({ name }) => name)).toEqual(regions.map(({ key }) => key));
});

describe.each(regions.map((region) => [region.key, region] as const))('%s', (name, region) => {
  const chart = chartOf(name);

  test('has every state and every transition, each with a way to see it', () => {
    expect(chart.states.map(({ path }) => path)).toEqual(descendantsOf(region).map(pathOf));
    const nodes = [region, ...descendantsOf(region)];
    const transitions = nodes.flatMap((node) => [
      ...[...node.transitions.values()].flat(),
      ...(node.always ?? []),
    ]);
    expect(chart.transitions.map(({ from, to }) => [from, to])).toEqual(
      transitions.map(({ source, target }) => [
        pathOf(source),
        target ? pathOf(target[0] as AnyStateNode) : null,
      ]),
    );

    const drawn = new Set([
      ...chart.arrows.flatMap(({ of }) => of),
      ...chart.states.flatMap(({ exits }) => exits.flatMap(({ of }) => of)),
    ]);
    const unseen = chart.transitions.filter(
      // A rule of the whole region has no box of its own: it is in the texts.
      ({ from, to }, index) => to !== null && from !== '' && !drawn.has(index),
    );
    expect(unseen).toEqual([]);
  });

  test('has no state over another one, and none outside', () => {
    const isWithin = (inner: ChartState, outer: ChartState) =>
      inner.path.startsWith(`${outer.path}.`);
    const overlaps = chart.states.flatMap((one, index) =>
      chart.states
        .slice(index + 1)
        .filter((other) => !isWithin(one, other) && !isWithin(other, one) && touches(one, other))
        .map((other) => `${one.path} and ${other.path}`),
    );
    const escaped = chart.states.flatMap((inner) => {
      const outer = chart.states.find(({ path }) => path === inner.path.replace(/\.\w+$/, ''));
      const [x, y, width, height] = outer && outer !== inner ? outer.box : [0, 0, ...chart.size];
      const isInside =
        inner.box[0] >= x &&
        inner.box[1] >= y &&
        inner.box[0] + inner.box[2] <= x + width &&
        inner.box[1] + inner.box[3] <= y + height;
      return isInside ? [] : [inner.path];
    });

    expect(overlaps).toEqual([]);
    expect(escaped).toEqual([]);
  });
});

const touches = ({ box: [x, y, width, height] }: ChartState, { box }: ChartState): boolean =>
  x < box[0] + box[2] && box[0] < x + width && y < box[1] + box[3] && box[1] < y + height;

describe('which transitions a step took', () => {
  const ways = (name: string, type: string, before: string, now: string) => {
    const region = chartOf(name);
    return takenBy(region, { type, before, now }).map((index) => {
      const { from, to, on, guard } = region.transitions[index] ?? {};
      return `${from} → ${to} by ${on ?? guard}`;
    });
  };

  test('is found by the event, the deadline, or what came of another region', () => {
    expect(
      ways('provisioning', 'container.cloned', 'cloning.performing', 'configuring.performing'),
    ).toEqual(['cloning → configuring by container.cloned']);
    const timer = 'xstate.after.cloneDeadline.instance.provisioning.cloning';
    expect(ways('provisioning', timer, 'cloning.pausing', 'failed')).toEqual([
      'cloning → failed by cloneDeadline',
    ]);
    expect(ways('provisioning', 'container.started', 'booting', 'addressing.performing')).toEqual([
      'booting → addressing by isHostRunning',
    ]);
  });

  test('may be several, of which the later follow by themselves', () => {
    expect(ways('host', 'container.cloned', 'absent', 'starting.performing')).toEqual([
      'absent → stopped by container.cloned',
      'stopped → starting by isStartDemanded',
    ]);
  });

  test('is not guessed: where the machine has no way, or nothing moved, it is none', () => {
    expect(ways('provisioning', 'container.cloned', 'deleted', 'ready')).toEqual([]);
    expect(ways('host', 'host.observed', 'running', 'running')).toEqual([]);
  });
});
