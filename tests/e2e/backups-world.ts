import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { type Faults, readFired, writeFaults } from '../../lab/agent/faults.ts';
import { startHostWorld, WAIT } from '../http/host-world.ts';
import { until } from '../support/until.ts';

/** A game of Alice's with a file in it, and whatever may be done to its backups. */
export async function startBackupsWorld(environment: Readonly<Record<string, string>> = {}) {
  const world = await startHostWorld({ HOST_SWEEP_MS: '200', ...environment });
  const { alice } = world;

  async function createGame() {
    const vmid = await world.create();
    const rootfs = world.onProxmox(vmid)?.rootfs ?? '';
    const folder = join(rootfs, 'srv', 'backups');
    const file = join(rootfs, 'srv', 'game', 'level.dat');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'before');
    const path = `/api/game/servers/${vmid}/backups`;
    const status = async () => (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
    const ask = (method: string, rest: string, headers: Record<string, string> = WAIT) =>
      alice.call(method, path + rest, { headers });
    return {
      vmid,
      folder,
      path,
      status,
      ask,
      write: (text: string) => writeFileSync(file, text),
      read: () => readFileSync(file, 'utf8'),
      archives: () =>
        existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.tar.gz')) : [],
      plan: (faults: Faults) => writeFaults(rootfs, faults),
      fired: () => readFired(rootfs),
      list: async () => (await alice.call('GET', path)).body,
      backUp: (headers?: Record<string, string>) => ask('POST', '', headers),
      restore: (id: string, headers?: Record<string, string>) =>
        ask('POST', `/restore?id=${id}`, headers),
      verify: (id: string) => ask('POST', `/verify?id=${id}`),
      remove: (id: string) => ask('DELETE', `/${id}`),
      game: (verb: string) => alice.call('POST', `/api/servers/${vmid}/game/${verb}`),
      /** In the words of the agent, which the status follows a moment later. */
      becomes: (word: string) =>
        until(async () => (await status()).status === word, {
          ...{ what: `the game to be ${word}`, timeoutMs: 20_000 },
        }),
    };
  }
  return { ...world, createGame };
}
