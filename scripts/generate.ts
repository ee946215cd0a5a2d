import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { definitions } from '../src/machines/index.ts';
import { renderChart } from './generate/chart.ts';
import { renderClient } from './generate/client.ts';
import { renderEnvironment } from './generate/environment.ts';
import { instanceSights } from './generate/instance-sights.ts';
import { renderMachine } from './generate/machines.ts';
import { renderOpenApi } from './generate/openapi.ts';
import { subscriptionSights } from './generate/subscription-sights.ts';

/**
 * Writes every generated file. With `--check` it writes nothing and fails if one is not what
 * the code says.
 */
const openApi = await renderOpenApi();
const files: Readonly<Record<string, string>> = {
  '.env.example': renderEnvironment(),
  'docs/openapi.json': openApi,
  'web/src/api/schema.ts': renderClient(openApi),
  'web/src/chart/layout.ts': await renderChart(definitions.instance.machine),
  'docs/machines/instance.md': renderMachine(
    'instance',
    definitions.instance.machine,
    instanceSights(),
  ),
  'docs/machines/subscription.md': renderMachine(
    'subscription',
    definitions.subscription.machine,
    await subscriptionSights(),
  ),
};

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const [path, text] of Object.entries(files)) {
  if ((await readFile(path, 'utf8').catch(() => null)) === text) continue;
  stale.push(path);
  if (isCheck) continue;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
if (isCheck && stale.length > 0) {
  console.error(`not up to date, run "npm run generate": ${stale.join(', ')}`);
  process.exitCode = 1;
} else {
  console.log(stale.length === 0 ? 'generated files are up to date' : `wrote ${stale.join(', ')}`);
}
