import { expect, test } from 'vitest';

import { buildAgentPayload } from '../../src/clients/agent/payload.ts';

const GAME = { ctype: 'game', vmid: 5001, game: 'minecraft', memoryMiB: 4096 } as const;

test.each([
  ['1.9', 17],
  ['1.16.5', 17],
  ['1.20.6', 17],
  ['1.21', 21],
  ['1.21.4', 21],
  ['1.22', 21],
  ['26.1', 21],
  ['26.1.2', 21],
])('Minecraft %s runs on Java %i', (version, java) => {
  const payload = buildAgentPayload({ ...GAME, variant: 'paper', version });

  expect(payload).toMatchObject({ java_path: `java/${java}/OpenJDK${java}.tar.gz` });
});

test.each([
  ['forge', 'forge-installer.jar'],
  ['neoforge', 'neoforge-installer.jar'],
  ['fabric', 'fabric-server.jar'],
  ['paper', 'server.jar'],
  ['purpur', 'server.jar'],
  ['vanilla', 'server.jar'],
])('%s is installed from %s', (variant, file) => {
  const payload = buildAgentPayload({ ...GAME, variant, version: '1.21.4' });

  expect(payload).toMatchObject({ artifact_path: `minecraft/${variant}/1.21.4/${file}` });
});

test('a game is ordered with everything the agent reads', () => {
  const payload = buildAgentPayload({
    ...GAME,
    variant: 'paper',
    version: '1.21.4',
    world: 'hub',
    ports: [25_565],
    adminUser: 'root',
    adminPass: 'secret',
  });

  expect(payload).toEqual({
    vmid: 5001,
    container_type: 'game',
    game: 'minecraft',
    variant: 'paper',
    version: '1.21.4',
    world: 'hub',
    ports: [25_565],
    artifact_path: 'minecraft/paper/1.21.4/server.jar',
    java_path: 'java/21/OpenJDK21.tar.gz',
    memory_mb: 4096,
    admin_user: 'root',
    admin_pass: 'secret',
  });
});

test('another game has no Java, and what is left out has a default', () => {
  const order = { ...GAME, game: 'terraria', variant: 'vanilla', version: '1449' };

  expect(buildAgentPayload(order)).toEqual({
    vmid: 5001,
    container_type: 'game',
    game: 'terraria',
    variant: 'vanilla',
    version: '1449',
    world: 'world',
    ports: [],
    artifact_path: 'terraria/vanilla/1449/server.tar.gz',
    memory_mb: 4096,
  });
});

test('a development container is ordered by runtime', () => {
  const order = {
    ctype: 'dev',
    vmid: 6001,
    runtime: 'node',
    version: '24',
    memoryMiB: 2048,
  } as const;

  expect(buildAgentPayload(order)).toEqual({
    vmid: 6001,
    container_type: 'dev',
    runtime: 'node',
    version: '24',
    memory_mb: 2048,
  });
});

test.each(['..', '../1.21', 'a/b', '', '.hidden'])(
  'the version "%s" cannot be a path',
  (version) => {
    expect(() => buildAgentPayload({ ...GAME, variant: 'paper', version })).toThrow(
      "cannot be part of an artifact's path",
    );
  },
);
