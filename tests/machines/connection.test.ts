import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { describeConnection } from '../../src/machines/instance/connection.ts';
import type { TargetState } from '../../src/machines/instance/edge-types.ts';
import type { InstanceState } from '../../src/machines/instance/status.ts';
import { published } from '../support/instance-life.ts';

/**
 * The rows of docs/connection.md, in its order and its words. The first row that fits decides,
 * so each case has something of the rows below it that must not matter.
 */
interface Case {
  readonly row: string;
  readonly verdict: string;
  readonly value?: Readonly<Record<string, unknown>>;
  readonly readySource?: string | null;
  readonly publicDns?: TargetState;
  readonly unseen?: boolean;
}

const CASES: readonly Case[] = [
  { row: 'being made', verdict: 'starting', value: { provisioning: { readying: 'performing' } } },
  { row: 'failed, or being deleted', verdict: 'unpublished', value: { provisioning: 'failed' } },
  {
    row: 'failed, or being deleted',
    verdict: 'unpublished',
    value: { provisioning: { deleting: 'settling' } },
  },
  {
    row: 'taken off, or its name is in no DNS',
    verdict: 'unpublished',
    value: { edge: 'unpublished', proxy: 'none', agent: 'unreachable' },
  },
  {
    row: 'taken off, or its name is in no DNS',
    verdict: 'unpublished',
    value: { edge: { unpublishing: 'removing' } },
  },
  {
    row: 'taken off, or its name is in no DNS',
    verdict: 'unpublished',
    value: { edge: 'degraded' },
    publicDns: 'failed',
  },
  { row: 'nobody knows of the container', verdict: 'unknown', unseen: true },
  {
    row: 'nobody knows of the container',
    verdict: 'unknown',
    value: { host: { unknown: 'waiting' }, agent: 'offline' },
  },
  {
    row: 'nobody knows of the agent',
    verdict: 'unknown',
    value: { agent: 'unreachable', proxy: 'none' },
  },
  {
    row: 'off, or crashed',
    verdict: 'backend_unreachable',
    value: { host: 'stopped', agent: 'offline', proxy: 'none' },
  },
  { row: 'off, or crashed', verdict: 'backend_unreachable', value: { agent: 'crashed' } },
  {
    row: 'coming up, or being published',
    verdict: 'starting',
    value: { host: { restarting: 'rebooting' }, agent: 'offline', proxy: 'none' },
  },
  { row: 'coming up, or being published', verdict: 'starting', value: { agent: 'alive' } },
  {
    row: 'coming up, or being published',
    verdict: 'starting',
    value: { edge: 'publishing', proxy: { registering: 'performing' } },
    publicDns: 'publishing',
  },
  { row: 'not registered', verdict: 'not_registered', value: { proxy: 'none' } },
  {
    row: 'not registered',
    verdict: 'not_registered',
    value: { proxy: { registering: 'pausing' } },
  },
  {
    row: 'not registered',
    verdict: 'not_registered',
    value: { proxy: { unregistering: 'performing' } },
  },
  { row: 'Velocity has reached it', verdict: 'connectable', value: { proxy: 'ping_ok' } },
  {
    row: 'Velocity has reached it',
    verdict: 'connectable',
    value: { proxy: 'ping_ok', edge: 'degraded' },
    readySource: null,
  },
  {
    row: 'Velocity cannot reach it',
    verdict: 'backend_unreachable',
    value: { proxy: 'ping_failed' },
    readySource: 'minecraft_ping',
  },
  {
    row: 'the agent has pinged it',
    verdict: 'connectable',
    value: { proxy: 'registered' },
    readySource: 'minecraft_ping',
  },
  {
    row: 'the agent has pinged it',
    verdict: 'connectable',
    value: { proxy: 'unverifiable' },
    readySource: 'minecraft_ping',
  },
  {
    row: 'nobody has pinged it',
    verdict: 'unknown',
    value: { proxy: 'registered' },
    readySource: null,
  },
];

function stateOf({ value = {}, readySource = 'minecraft_ping', publicDns }: Case): InstanceState {
  const { state } = published();
  const { context } = state;
  const { edge } = context.payload;
  const targets = (edge?.targets ?? []).map((target) =>
    target.spec.kind === 'public_dns' && publicDns ? { ...target, state: publicDns } : target,
  );
  return {
    value: { ...state.value, ...value },
    context: {
      ...context,
      agent: { ...context.agent, readySource },
      payload: { ...context.payload, edge: edge && { ...edge, targets } },
    },
    since: { agent: 3_000, edge: 4_000, proxy: 5_000 },
  };
}

const ROWS = readFileSync('docs/connection.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the connection', () => {
  test.each(CASES)('of a server that is $row is $verdict', (one) => {
    const unseen = { host: one.unseen === true, agent: one.unseen === true };

    expect(describeConnection(stateOf(one), unseen)?.verdict).toBe(one.verdict);
  });

  test('is documented row by row, and every row was tried', () => {
    const documented = ROWS.map(([, , row, , verdict]) => `${row}: ${verdict}`);
    const tried = CASES.map(({ row, verdict }) => `${row}: ${verdict}`);

    expect([...new Set(tried)]).toEqual(documented);
  });

  test('says of each hop what shows it, and since when', () => {
    const connection = describeConnection(stateOf({ row: '', verdict: '' }));

    expect(connection?.hops).toEqual([
      { hop: 'edge', state: 'ok', evidence: 'published', observedAt: 4_000 },
      { hop: 'velocity', state: 'ok', evidence: 'registered', observedAt: 7 },
      { hop: 'ping', state: 'ok', evidence: 'minecraft_ping', observedAt: 3_000 },
      { hop: 'agent', state: 'ok', evidence: 'minecraft_ping', observedAt: 3_000 },
    ]);
  });

  test('is told of Minecraft only', () => {
    const state = stateOf({ row: '', verdict: '' });
    const payload = { ...state.context.payload, game: 'valheim' };

    expect(describeConnection({ ...state, context: { ...state.context, payload } })).toBeNull();
  });
});
