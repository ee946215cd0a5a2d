import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';

import { startRouter } from '../../lab/router/router.ts';
import { freePort } from '../../lab/services/free-port.ts';
import { until } from '../support/until.ts';
import { HOST, setUp, startTcpGame, startUdpGame, TOKEN } from './router-world.ts';

const ANYWHERE = 'HostSNI(`*`)';

describe('a client reaches a game', () => {
  test('over TCP', async () => {
    await using t = await setUp();
    await using game = await startTcpGame('terraria');
    await t.configure(tcpTo(game.port));

    expect(await t.askTcp('hello')).toBe('terraria hello');
  });

  test('over UDP, each client in a session of its own, which ends with its silence', async () => {
    await using t = await setUp({ idleMs: 100 });
    await using game = await startUdpGame('rust');
    await t.configure(udpTo(game.port));

    const answers = await Promise.all([t.askUdp('one'), t.askUdp('two'), t.askUdp('three')]);

    expect(answers).toEqual(['rust one', 'rust two', 'rust three']);
    expect(new Set(game.peers).size).toBe(3);
    await until(() => t.router.open() === 0, { what: 'the end of the sessions' });
  });

  test('and another one as soon as the configuration says so, while players stay', async () => {
    await using t = await setUp();
    await using old = await startTcpGame('old');
    await using young = await startTcpGame('young');
    await t.configure(tcpTo(old.port));
    const staying = await t.openTcp();
    await staying.ask('first');

    await t.configure(tcpTo(young.port));

    expect(await t.askTcp('hello')).toBe('young hello');
    expect(await staying.ask('still here')).toBe('old still here');
  });

  test('over UDP at another address, when it has been silent for a while', async () => {
    await using t = await setUp({ idleMs: 30 });
    await using old = await startUdpGame('old');
    await using young = await startUdpGame('young');
    await t.configure(udpTo(old.port));
    await using client = await t.openUdp();
    const before = await client.ask('hello');

    await t.configure(udpTo(young.port));
    await until(() => t.router.open() === 0, { what: 'the end of the session' });

    expect([before, await client.ask('hello')]).toEqual(['old hello', 'young hello']);
  });

  test('in turns, if a service has several servers', async () => {
    await using t = await setUp();
    await using one = await startTcpGame('one');
    await using two = await startTcpGame('two');
    await t.configure(tcpTo(one.port, two.port));

    const answers = [await t.askTcp('x'), await t.askTcp('x'), await t.askTcp('x')];

    expect(new Set(answers).size).toBe(2);
    expect(answers[0]).toBe(answers[2]);
  });
});

describe('a configuration', () => {
  test('that is empty closes the way, and an empty section is none', async () => {
    await using t = await setUp();
    await using game = await startTcpGame('terraria');
    await t.configure(tcpTo(game.port));

    await t.reject({ tcp: { routers: {}, services: {} } });
    const kept = await t.askTcp('hello');
    await t.configure({});
    const closed = await t.openTcp();
    await once(closed.socket.resume(), 'end');

    expect(kept).toBe('terraria hello');
    expect(t.router.problems()).toEqual([]);
  });

  test.each([
    ['that is no JSON', '<html>', /JSON/],
    ['with a member that nobody knows', { tcp: { router: { a: { service: 'a' } } } }, /router/],
    ['with a rule for UDP', { udp: { routers: { a: { service: 'a', rule: 'x' } } } }, /rule/],
    ['with an empty service', { udp: { services: { a: { loadBalancer: {} } } } }, /standalone/],
    ['answered with an error', 500, /the answer was 500/],
    ['answered with something that is no answer', 204, /the answer was 204/],
    ['answered to somebody else', 401, /the answer was 401/],
  ])('%s is rejected, and the last good one kept', async (_, answer, trouble) => {
    await using t = await setUp();
    await using game = await startTcpGame('terraria');
    await t.configure(tcpTo(game.port));

    await t.reject(answer);

    expect(t.router.problems().join()).toMatch(trouble);
    expect(await t.askTcp('hello')).toBe('terraria hello');
    await t.configure(tcpTo(game.port, game.port));
    expect(t.router.problems()).toEqual([]);
  });

  test('that is partly nonsense counts as far as it makes sense', async () => {
    await using t = await setUp();
    await using game = await startTcpGame('terraria');
    const { tcp } = tcpTo(game.port);
    const routers = {
      ...tcp.routers,
      astray: { entryPoints: ['terraria'], service: 'nobody', rule: ANYWHERE, priority: 9 },
      byName: { entryPoints: ['terraria'], service: 'game', rule: 'HostSNI(`a.test`)' },
      elsewhere: { entryPoints: ['nowhere'], service: 'game', rule: ANYWHERE },
      second: { entryPoints: ['terraria'], service: 'wrong', rule: ANYWHERE },
      silent: { entryPoints: ['terraria'], service: 'game' },
    };
    const services = {
      ...tcp.services,
      wrong: { loadBalancer: { servers: [{ address: 'no port' }, { address: '10.0.0.1:99999' }] } },
    };

    await t.configure({ tcp: { routers, services } });

    expect(await t.askTcp('hello')).toBe('terraria hello');
    expect(t.router.problems()).toEqual([
      'tcp router astray: there is no service nobody',
      'tcp router byName: the rule HostSNI(`a.test`) needs TLS, which games do not speak',
      'tcp router elsewhere: there is no entry point nowhere',
      'tcp service wrong: bad address',
      'tcp router silent: there is no rule',
    ]);
  });

  test('is asked for with the token, and spared when it is the same', async () => {
    await using t = await setUp();
    await using game = await startTcpGame('terraria');
    await t.configure(tcpTo(game.port));

    await until(() => t.seen.filter(({ answer }) => answer === 304).length > 2, { what: '304' });
    t.answerWithoutEtag();
    const { unchanged } = t.router.polls();
    await until(() => t.router.polls().unchanged > unchanged + 2, { what: 'the same text again' });

    expect(t.router.polls()).toMatchObject({ applied: 2, rejected: 0 });
    expect(new Set(t.seen.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${TOKEN}`]),
    );
    expect(await t.askTcp('hello')).toBe('terraria hello');
  });

  test('that nobody gives leaves the doors open, and the way is found once it is there', async () => {
    const port = await freePort();
    await using router = await startRouter({
      url: `http://${HOST}:${port}/`,
      token: TOKEN,
      entryPoints: { terraria: { protocol: 'tcp', port: 0 } },
      pollMs: 10,
    });

    await until(() => router.polls().rejected > 1, { what: 'two polls' });
    const socket = connect(router.ports['terraria'] ?? 0, HOST);
    await once(socket.resume(), 'end');

    expect(router.problems()).toHaveLength(1);
  });
});

test('nothing is left when the router has ended', async () => {
  await using t = await setUp();
  await using tcp = await startTcpGame('terraria');
  await using udp = await startUdpGame('rust');
  await t.configure({ ...tcpTo(tcp.port), ...udpTo(udp.port) });
  const player = await t.openTcp();
  await player.ask('hello');
  await t.askUdp('hello');
  const open = t.router.open();
  const ended = once(player.socket.resume(), 'end');

  await t.router[Symbol.asyncDispose]();
  await ended;
  const refused = connect(t.router.ports['terraria'] ?? 0, HOST);
  const [error] = await once(refused, 'error');

  expect(open).toBe(3);
  expect(t.router.open()).toBe(0);
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});

function tcpTo(...ports: number[]) {
  const servers = ports.map((port) => ({ address: `${HOST}:${port}` }));
  const router = { entryPoints: ['terraria'], service: 'game', rule: ANYWHERE };
  return { tcp: { routers: { game: router }, services: { game: { loadBalancer: { servers } } } } };
}

function udpTo(port: number) {
  const servers = [{ address: `${HOST}:${port}` }];
  const router = { entryPoints: ['rust'], service: 'game' };
  return { udp: { routers: { game: router }, services: { game: { loadBalancer: { servers } } } } };
}
