import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { ADMIN, ALICE, BOB, type Client, createClient, startTestApp } from '../support/app.ts';

export const WAIT = { prefer: 'wait=20' };

/** Two nodes of the service, and containers whose power Alice may change. */
export async function startHostWorld(environment: Readonly<Record<string, string>> = {}) {
  await using opened = new AsyncDisposableStack();
  const app = opened.use(
    await startTestApp({ environment: { STOP_TIMEOUT_S: '1', ...environment } }),
  );
  const other = opened.use(await app.startNode());
  const { url, ca, tokenId, tokenSecret } = app.proxmox;
  const proxmox = opened.use(
    createProxmoxClient({ baseUrl: url, ca, tokenId, tokenSecret, timeoutMs: 5_000 }),
  );
  const [alice, bob, admin] = [
    await app.signIn(ALICE),
    await app.signIn(BOB),
    await app.signIn(ADMIN),
  ];
  const closing = opened.move();
  return {
    app,
    alice,
    bob,
    admin,
    aliceElsewhere: createClient(other.url ?? '', alice.token),
    async create(): Promise<number> {
      const body = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
      const answer = await alice.call('POST', '/api/instances', { body, headers: WAIT });
      if (answer.body.operation?.state === 'succeeded') return answer.body.vmid;
      throw new Error(`the container was not made: ${JSON.stringify(answer.body)}`);
    },
    power: (client: Client, vmid: number, verb: string, headers: Record<string, string> = WAIT) =>
      client.call('POST', `/api/servers/${vmid}/host/${verb}`, { headers }),
    hostStatus: async (vmid: number) =>
      (await alice.call('GET', `/api/servers/${vmid}/host/status`)).body,
    onProxmox: (vmid: number) => app.proxmox.containers().find((one) => one.vmid === vmid),
    /** What was asked of Proxmox for a container's power, the oldest first. */
    async tasksOf(vmid: number): Promise<readonly string[]> {
      const tasks = await proxmox.listTasks({ node: 'pve1', vmid });
      return tasks
        .map(({ type }) => type)
        .filter((type) => /^vz(start|stop|shutdown|reboot)$/.test(type))
        .toReversed();
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
