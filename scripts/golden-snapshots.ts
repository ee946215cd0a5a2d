import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

import { definitions } from '../src/machines/index.ts';
import { instanceModel } from '../tests/support/instance-model.ts';
import { explore } from '../tests/support/model.ts';

/**
 * Writes one stored snapshot of every state that the machine of this version can be in. Run it
 * when a version is released; from then on the file never changes, and every later machine must
 * load what is in it.
 */
const { machine, machineVersion } = definitions.instance;
const file = `tests/machines/golden/instance-v${machineVersion}.json`;
if (existsSync(file)) throw new Error(`${file} exists: raise machineVersion first`);
const byState = new Map<string, object>();
for (const { snapshot } of explore(instanceModel(machine)).nodes.values()) {
  const { value, context, status } = snapshot;
  const key = JSON.stringify(value);
  if (!byState.has(key)) byState.set(key, { value, context, status, since: {} });
}
mkdirSync('tests/machines/golden', { recursive: true });
writeFileSync(
  file,
  `[\n${[...byState.values()].map((row) => JSON.stringify(row)).join(',\n')}\n]\n`,
);
console.log(`${file}: ${byState.size} states`);
