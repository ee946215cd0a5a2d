import { expect, test } from 'vitest';
import { initialTransition } from 'xstate';

import { createServerTexts } from '../../src/http/server-texts.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import type { FleetEntry } from '../../src/view/fleet.ts';
import { createLive } from '../../src/view/live.ts';
import { sampleInput } from '../support/instance-model.ts';

const UNSEEN_AFTER_MS = 30_000;
const BORN = 1_000_000;
const LATER = BORN + 600_000;
const NO_NUMBERS = { cpu: null, mem: null, maxmem: null, disk: null, uptime: null };

/** A node on which ten minutes have passed since the last step of an instance. */
function setUp(host: string, agent: string) {
  const [initial] = initialTransition(instanceMachine, sampleInput());
  const live = createLive();
  const texts = createServerTexts({
    live,
    now: () => LATER,
    unseenAfterMs: UNSEEN_AFTER_MS,
    currentAt: () => LATER,
  });
  const entry: FleetEntry = {
    id: '5001-a',
    vmid: 5001,
    version: 7,
    customerId: 'c-1',
    state: {
      value: { ...initial.value, provisioning: 'ready', host, agent },
      context: initial.context,
      since: { provisioning: BORN, host: BORN, agent: BORN, recovery: BORN },
    },
    createdAt: new Date(BORN),
    updatedAt: new Date(BORN),
    derived: new Map(),
  };
  return {
    askAgent: ({ askedAt, seenAt = askedAt }: { askedAt: number; seenAt?: number }) =>
      live.take({
        agents: [[5001, { seenAt, askedAt, condition: null, players: null, uptimeSeconds: null }]],
        hosts: [],
      }),
    askProxmox: (observedAt: number) =>
      live.take({ agents: [], hosts: [[5001, { observedAt, ...NO_NUMBERS }]] }),
    /** The status, and the reasons of host and agent. */
    look() {
      const { status, conditions } = JSON.parse(texts.status(entry));
      // Whoever filters by a status finds what is shown with it.
      expect(texts.statusOf(entry)).toBe(status);
      return [status, ...conditions.slice(1, 3).map(({ reason }: { reason: string }) => reason)];
    },
  };
}

test('what nobody has looked at for too long is not shown as true', () => {
  const t = setUp('running', 'ready');
  const before = t.look();

  t.askProxmox(LATER - UNSEEN_AFTER_MS);
  const half = t.look();
  t.askAgent({ askedAt: LATER - UNSEEN_AFTER_MS });

  expect(before).toEqual(['unknown', 'not_observed', 'not_observed']);
  expect(half).toEqual(['unknown', 'running', 'not_observed']);
  expect(t.look()).toEqual(['running', 'running', 'ready']);
});

test('an agent that is asked and does not answer is unreachable, however long it is silent', () => {
  const t = setUp('running', 'unreachable');
  t.askProxmox(LATER);

  t.askAgent({ askedAt: LATER, seenAt: BORN });

  expect(t.look()).toEqual(['offline', 'running', 'unreachable']);
});

test('a container that Proxmox does not know is absent for as long as it is asked about it', () => {
  const t = setUp('absent', 'offline');

  t.askProxmox(LATER);

  expect(t.look()).toEqual(['host offline', 'absent', 'offline']);
});
