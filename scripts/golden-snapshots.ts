import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

import { definitions } from '../src/machines/index.ts';
import {
  edgeModel,
  entitlementModel,
  instanceModel,
  samplePlan,
} from '../tests/support/instance-model.ts';
import { maintenanceModel } from '../tests/support/maintenance-model.ts';
import { explore, type Model } from '../tests/support/model.ts';
import { subscriptionModel } from '../tests/support/subscription-model.ts';

/**
 * Writes one stored snapshot of every state that the machines of their versions can be in, where a
 * version has not left its own yet. Run it when a version is released; from then on the file never
 * changes, and every later machine must load what is in it.
 */
type Kind = keyof typeof definitions;
interface Part {
  // biome-ignore lint/suspicious/noExplicitAny: whatever kind of snapshot it is, it is stored
  readonly model: Model<any>;
  /** One of each combination of these; of all regions, if it does not say. */
  readonly regions?: readonly string[];
}

const { instance, subscription } = definitions;
const PARTS: Readonly<Record<Kind, readonly Part[]>> = {
  instance: [
    { model: instanceModel(instance.machine) },
    { model: edgeModel(instance.machine, samplePlan(1)), regions: ['edge', 'proxy'] },
    { model: entitlementModel(instance.machine), regions: ['entitlement'] },
    { model: maintenanceModel(instance.machine), regions: ['maintenance'] },
  ],
  subscription: [{ model: subscriptionModel(subscription.machine) }],
};

function write(kind: Kind): void {
  const file = `tests/machines/golden/${kind}-v${definitions[kind].machineVersion}.json`;
  if (existsSync(file)) {
    console.log(`${file} has been written before`);
    return;
  }
  const byState = new Map<string, object>();
  for (const { model, regions } of PARTS[kind]) {
    for (const { snapshot } of explore(model).nodes.values()) {
      const { value, context, status } = snapshot;
      const key = JSON.stringify(regions ? regions.map((region) => value[region]) : value);
      if (!byState.has(key)) byState.set(key, { value, context, status, since: {} });
    }
  }
  const rows = [...byState.values()].map((row) => JSON.stringify(row));
  writeFileSync(file, `[\n${rows.join(',\n')}\n]\n`);
  console.log(`${file}: ${rows.length} states`);
}

mkdirSync('tests/machines/golden', { recursive: true });
for (const kind of Object.keys(PARTS) as Kind[]) write(kind);
