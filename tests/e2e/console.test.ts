import { expect, test } from 'vitest';

import { ALICE, startTestApp } from '../support/app.ts';
import { openViewer } from '../support/console-viewer.ts';
import { until } from '../support/until.ts';

const WAIT = { prefer: 'wait=20' };
const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };

test('a console shows a game from its installation on, takes its commands and outlives a restart of its container', async () => {
  await using app = await startTestApp({ environment: { HOST_SWEEP_MS: '500' } });
  const alice = await app.signIn(ALICE);
  const { vmid } = (await alice.call('POST', '/api/instances', { body: ORDER, headers: WAIT }))
    .body;
  const viewer = await openViewer(app.url, vmid, { token: alice.token, query: { from: 0 } });
  viewer.send({ type: 'command', id: 'hello', text: 'say hello' });
  await viewer.saw('terraria heard: say hello');
  const path = `/api/servers/${vmid}/host/restart`;
  const restart = await alice.call('POST', path, { headers: WAIT });
  await until(() => viewer.of('notice').at(-1)?.agent === 'back', {
    ...{ what: 'the agent to be back', timeoutMs: 15_000 },
  });
  await viewer.saw('saving the world');
  const listens = () => viewer.lines.filter(([, line]) => line.includes('listens')).length === 2;
  await until(listens, { what: 'the game to run again', timeoutMs: 15_000 });

  expect(restart.status).toBe(200);
  expect(viewer.of('ack')).toEqual([{ type: 'ack', id: 'hello', ok: true }]);
  expect(viewer.of('hello')).toHaveLength(1);
  expect(viewer.lines[0]).toEqual([0, '[agent] download_artifact']);
  expect(viewer.lines.map(([offset]) => offset)).toEqual([...viewer.lines.keys()]);
  await viewer.close();
});
