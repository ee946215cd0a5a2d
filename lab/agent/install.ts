import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readFaults } from './faults.ts';
import type { GamePayload, Payload } from './payload.ts';

interface Installation {
  readonly root: string;
  readonly stepMs: number;
  readonly payload: Payload;
  readonly step: (name: string) => void;
}

const GAME_STEPS = ['download_artifact', 'unpack', 'configure'] as const;
const DEV_STEPS = ['download_runtime', 'unpack', 'configure', 'verify'] as const;

const MINECRAFT_FILES: ReadonlyMap<string, string> = new Map([
  ['forge', 'forge-installer.jar'],
  ['fabric', 'fabric-server.jar'],
  ['neoforge', 'neoforge-installer.jar'],
  ['paper', 'server.jar'],
  ['purpur', 'server.jar'],
  ['vanilla', 'server.jar'],
]);

/** Walks visibly through the steps of an installation. Done twice, it leaves the same behind. */
export async function install({ root, stepMs, payload, step }: Installation): Promise<void> {
  const steps = payload.container_type === 'game' ? GAME_STEPS : DEV_STEPS;
  for (const name of steps) {
    step(name);
    await sleep(stepMs);
    const { installFails, failStep } = readFaults(root);
    if (installFails && (failStep ?? steps[0]) === name) throw new Error(installFails);
    if (name === 'download_artifact' && payload.container_type === 'game') checkArtifact(payload);
  }
  if (payload.container_type === 'dev') {
    mkdirSync(join(root, 'opt'), { recursive: true });
    const { runtime, version } = payload;
    writeFileSync(runtimeMarker(root), `${runtime} ${version}\n`);
  }
}

export function runtimeMarker(root: string): string {
  return join(root, 'opt', 'runtime-version');
}

/** A wrong path is found out here, as it is where artifacts are really downloaded. */
function checkArtifact(payload: GamePayload): void {
  const { game, variant, version, artifact_path: path } = payload;
  const file = MINECRAFT_FILES.get(variant);
  if (game !== 'minecraft' || !file) return;
  if (path !== `minecraft/${variant}/${version}/${file}`) {
    throw new Error(`the artifact ${path} was not found`);
  }
}
