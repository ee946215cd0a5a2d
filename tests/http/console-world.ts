import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ALICE, startTestApp } from '../support/app.ts';
import { startConsoleAgent } from '../support/console-agent.ts';
import { openViewer, type ViewerOptions } from '../support/console-viewer.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

const RUNNING = { provisioning: 'ready', host: 'running', agent: 'ready' };

/**
 * The API alone, and an agent that says what the test wants. Containers are as the test makes
 * them; all of them have this agent.
 */
export async function startConsoleWorld(environment: Readonly<Record<string, string>> = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-console-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const agent = opened.use(await startConsoleAgent(join(folder, 'log')));
  const agentAt = { ZLH_AGENT_PORT: String(agent.port), ZLH_AGENT_TOKEN: agent.token };
  const app = opened.use(
    await startTestApp({ environment: { ROLE: 'api', ...agentAt, ...environment } }),
  );
  const writer = createFleetWriter(app.database);
  let vmids = 5_000;
  const alice = await app.signIn(ALICE);
  app.keepSecret(alice.token);
  const viewers = new Set<Awaited<ReturnType<typeof openViewer>>>();
  opened.defer(async () => {
    await Promise.all([...viewers].map((viewer) => viewer.close()));
  });
  const closing = opened.move();
  return {
    ...{ agent, app, writer, alice },
    /** A game that is on. */
    async create(customerId = ALICE, value: object = RUNNING): Promise<number> {
      vmids += 1;
      const vmid = vmids;
      await writer.create([{ vmid, customerId }]);
      await writer.change([vmid], { ip: '127.0.0.1' }, { ...value });
      return vmid;
    },
    /** When this node knows of this version. */
    async seen(vmid: number, revision = 0): Promise<void> {
      const know = async () => {
        const { body } = await alice.call('GET', `/api/servers/${vmid}`);
        return body.server.revision >= revision;
      };
      await until(know, { what: `version ${revision} to be known` });
    },
    async open(vmid: number | string, options: ViewerOptions = {}, url = app.url) {
      const hasOther = options.query?.['ticket'] !== undefined;
      const token = hasOther ? {} : { token: alice.token };
      const viewer = await openViewer(url, vmid, { ...token, ...options });
      viewers.add(viewer);
      return viewer;
    },
    async metric(name: string): Promise<number> {
      const page = await (await fetch(`${app.url}/metrics`)).text();
      const line = page.split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length));
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
