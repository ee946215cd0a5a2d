import { describe, expect, test } from 'vitest';

import { createEdgePlanning, type EdgeConfig, planEdge } from '../../src/http/edge-plan.ts';

const EVERYTHING: EdgeConfig = {
  technitium: { zone: 'zpack.internal', address: '10.0.0.9' },
  cloudflare: { zone: 'zpack.example', address: '203.0.113.7' },
  opnsense: { targetIp: '10.0.0.9' },
  velocity: { port: 25_565 },
  traefik: {
    entryPoints: {
      terraria: { protocol: 'tcp', min: 7_777, max: 7_786 },
      valheim: { protocol: 'udp', min: 2_456, max: 2_465 },
      minecraft: { protocol: 'tcp', min: 25_600, max: 25_609 },
    },
  },
};
const without = (...names: readonly (keyof EdgeConfig)[]): EdgeConfig => ({
  ...EVERYTHING,
  ...Object.fromEntries(names.map((name) => [name, undefined])),
});

const instanceOf = (game: string | null, allocatedPorts: readonly number[] = [25_570]) => ({
  hostname: `${game ?? 'dev'}-5001`,
  allocatedPorts,
  payload: { game },
});

interface Row {
  readonly what: string;
  readonly config: EdgeConfig;
  readonly game: string | null;
  readonly allocatedPorts?: readonly number[];
  readonly port: number | null;
  readonly kinds: readonly string[];
  readonly isProxied?: boolean;
}

const ALL = ['router', 'forward', 'internal_dns', 'public_dns'];
const NAMES = ['internal_dns', 'public_dns'];
const ROWS: readonly Row[] = [
  { what: 'a game', config: EVERYTHING, game: 'terraria', port: 7_780, kinds: ALL },
  { what: 'a game over UDP', config: EVERYTHING, game: 'valheim', port: 2_456, kinds: ALL },
  {
    what: 'Minecraft behind Velocity',
    config: EVERYTHING,
    game: 'minecraft',
    port: null,
    kinds: NAMES,
    isProxied: true,
  },
  {
    what: 'Minecraft where there is no Velocity',
    config: without('velocity'),
    game: 'minecraft',
    port: 25_600,
    kinds: ALL,
  },
  {
    what: 'Minecraft where there is nothing but Velocity',
    config: without('technitium', 'cloudflare', 'opnsense', 'traefik'),
    game: 'minecraft',
    port: null,
    kinds: [],
    isProxied: true,
  },
  {
    what: 'a game without a firewall',
    config: without('opnsense'),
    game: 'terraria',
    port: 7_777,
    kinds: ['router', ...NAMES],
  },
  {
    what: 'a game without public DNS',
    config: without('cloudflare', 'opnsense'),
    game: 'terraria',
    port: 7_777,
    kinds: ['router', 'internal_dns'],
  },
  {
    what: 'a game without Traefik',
    config: without('traefik'),
    game: 'terraria',
    port: null,
    kinds: [],
  },
  {
    what: 'a game that Traefik has no ports for',
    config: EVERYTHING,
    game: 'palworld',
    port: null,
    kinds: [],
  },
  {
    what: 'a game that listens nowhere',
    config: EVERYTHING,
    game: 'terraria',
    allocatedPorts: [],
    port: 7_777,
    kinds: [],
  },
  { what: 'a dev container', config: EVERYTHING, game: null, port: null, kinds: [] },
];

describe('what is configured, and no more, is planned for', () => {
  test.each(ROWS)('$what', ({ config, game, allocatedPorts, port, kinds, isProxied = false }) => {
    const plan = planEdge(config, instanceOf(game, allocatedPorts), port);

    expect(plan.targets.map(({ kind }) => kind)).toEqual(kinds);
    expect(plan.proxy !== null).toBe(isProxied);
  });
});

test('a game is known by the port that it was given, and led to the one it listens at', () => {
  const plan = planEdge(EVERYTHING, instanceOf('valheim'), 2_460);

  const place = { service: '_valheim._udp', port: 2_460 };
  expect(plan).toEqual({
    targets: [
      {
        kind: 'router',
        entryPoint: 'valheim-2460',
        protocol: 'udp',
        port: 2_460,
        backendPort: 25_570,
      },
      { kind: 'forward', protocol: 'udp', port: 2_460, targetIp: '10.0.0.9', targetPort: 2_460 },
      {
        kind: 'internal_dns',
        name: 'valheim-5001.zpack.internal',
        address: '10.0.0.9',
        ...place,
      },
      {
        kind: 'public_dns',
        name: 'valheim-5001.zpack.example',
        address: '203.0.113.7',
        ...place,
      },
    ],
    proxy: null,
  });
});

test('Minecraft is known by the port of the proxy, under its host name', () => {
  const plan = planEdge(without('cloudflare'), instanceOf('minecraft'), null);

  expect(plan).toEqual({
    targets: [
      {
        kind: 'internal_dns',
        name: 'minecraft-5001.zpack.internal',
        address: '10.0.0.9',
        service: '_minecraft._tcp',
        port: 25_565,
      },
    ],
    proxy: { serverName: 'minecraft-5001', backendPort: 25_570 },
  });
});

test('a port is reserved only for what needs one', async () => {
  const reserved: string[] = [];
  const plan = createEdgePlanning(EVERYTHING, {
    async reserve({ min }, instanceId) {
      reserved.push(instanceId);
      return min;
    },
  });

  const game = await plan('5001-a', instanceOf('terraria'));
  await plan('5002-b', instanceOf('minecraft'));
  await plan('6001-c', instanceOf(null));

  expect(reserved).toEqual(['5001-a']);
  expect(game.targets[0]).toMatchObject({ kind: 'router', entryPoint: 'terraria-7777' });
});
