import type { AnyStateMachine } from 'xstate';

import { placeRegion } from './chart/place.ts';
import { readRegions } from './chart/read.ts';

/** web/src/chart/layout.ts: the picture of a machine, a row for each thing that is drawn. */
export async function renderChart(machine: AnyStateMachine): Promise<string> {
  const regions = await Promise.all(readRegions(machine).map(placeRegion));
  const rows = (things: readonly unknown[]) =>
    things.map((thing) => `      ${JSON.stringify(thing)},`);
  return [
    '// Generated from the machine by `npm run generate`: do not edit.',
    "import type { ChartRegion } from './types.ts';",
    '',
    'export const layout: readonly ChartRegion[] = [',
    ...regions.flatMap(({ name, size, states, arrows, transitions }) => [
      `  { name: '${name}', size: [${size.join(', ')}],`,
      ...['    states: [', ...rows(states), '    ],'],
      ...['    arrows: [', ...rows(arrows), '    ],'],
      ...['    transitions: [', ...rows(transitions), '    ] },'],
    ]),
    '];',
    '',
  ].join('\n');
}
