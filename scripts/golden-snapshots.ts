import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

import { definitions } from '../src/machines/index.ts';
import {
  edgeModel,
  entitlementModel,
  type InstanceSnapshot,
  instanceModel,
  samplePlan,
} from '../tests/support/instance-model.ts';
import { maintenanceModel } from '../tests/support/maintenance-model.ts';
import { explore, type Model } from '../tests/support/model.ts';

/**
 * Writes one stored snapshot of every state that the machine of this version can be in. Run it
 * when a version is released; from then on the file never changes, and every later machine must
 * load what is in it.
 */
const { machine, machineVersion } = definitions.instance;
const file = `tests/machines/golden/instance-v${machineVersion}.json`;
if (existsSync(file)) throw new Error(`${file} exists: raise machineVersion first`);
type Region = keyof InstanceSnapshot['value'];
const byState = new Map<string, object>();

/** One snapshot of each state, or of each combination of these regions. */
function keep(model: Model<InstanceSnapshot>, regions?: readonly Region[]): void {
  for (const { snapshot } of explore(model).nodes.values()) {
    const { value, context, status } = snapshot;
    const key = JSON.stringify(regions ? regions.map((region) => value[region]) : value);
    if (!byState.has(key)) byState.set(key, { value, context, status, since: {} });
  }
}
keep(instanceModel(machine));
keep(edgeModel(machine, samplePlan(1)), ['edge', 'proxy']);
keep(entitlementModel(machine), ['entitlement']);
keep(maintenanceModel(machine), ['maintenance']);
mkdirSync('tests/machines/golden', { recursive: true });
writeFileSync(
  file,
  `[\n${[...byState.values()].map((row) => JSON.stringify(row)).join(',\n')}\n]\n`,
);
console.log(`${file}: ${byState.size} states`);
