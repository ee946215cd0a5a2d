import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request as send } from 'node:http';
import { join } from 'node:path';

import { type Faults, readFired, writeFaults } from '../../lab/agent/faults.ts';
import type { Client } from '../support/app.ts';
import { until } from '../support/until.ts';
import { startHostWorld } from './host-world.ts';

export const PREFIXES = ['/api/servers', '/api/game/servers'] as const;

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface Asked {
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A container of Alice's with files in it, and all who ask for them. */
export async function startFilesWorld(environment: Readonly<Record<string, string>> = {}) {
  const world = await startHostWorld(environment);
  const vmid = await world.create();
  const rootfs = world.onProxmox(vmid)?.rootfs ?? '';
  const staging = join(rootfs, 'srv', '.zpack-uploads');

  const urlOf = (prefix: string, path: string, query: Asked['query'] = {}, id = vmid) => {
    const given = Object.entries(query).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    return `${prefix}/${id}/files${path}?${new URLSearchParams(given)}`;
  };
  const waiting = (): readonly string[] => {
    try {
      return readdirSync(staging);
    } catch {
      return [];
    }
  };

  return {
    ...world,
    vmid,
    rootfs,
    served: join(rootfs, 'srv', 'game'),
    urlOf,
    waiting,
    setFaults: (faults: Faults) => writeFaults(rootfs, faults),
    fired: () => readFired(rootfs),
    call: (client: Client, method: string, url: string, { body, headers = {} }: Asked = {}) =>
      client.call(method, url, { ...(body !== undefined && { body }), headers }),
    async bytes(url: string, headers: Readonly<Record<string, string>> = {}) {
      const authorization = `Bearer ${world.alice.token}`;
      const response = await fetch(world.app.url + url, { headers: { authorization, ...headers } });
      return { response, bytes: Buffer.from(await response.arrayBuffer()) };
    },
    async upload(url: string, bytes: Buffer, headers: Readonly<Record<string, string>> = {}) {
      const response = await fetch(world.app.url + url, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.alice.token}`, ...headers },
        body: new Uint8Array(bytes),
      });
      // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
      return { status: response.status, body: (await response.json()) as any };
    },
    /** A request whose body the test sends by itself, or does not. */
    open(method: string, url: string, headers: Readonly<Record<string, string | number>>) {
      return send(world.app.url + url, {
        ...{ method, agent: false },
        headers: { authorization: `Bearer ${world.alice.token}`, ...headers },
      });
    },
    /** Nothing is on its way any more, neither here nor in the container. */
    async isQuiet() {
      await until(
        async () => {
          const page = await (await fetch(`${world.app.url}/metrics`)).text();
          const running = [...page.matchAll(/^zpack_file_transfers\{.*\} (\d+)$/gm)];
          return running.length === 2 && running.every(([, count]) => count === '0');
        },
        { what: 'all transfers to be over' },
      );
      await until(() => waiting().length === 0, { what: 'nothing to be left in the container' });
    },
  };
}
