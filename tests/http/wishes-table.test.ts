import { afterAll, describe, expect, test } from 'vitest';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { explainWishes, type WishName } from '../../src/machines/instance/wishes.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { everyKind } from '../support/instance-kinds.ts';
import { type InstanceSnapshot, sampleInput } from '../support/instance-model.ts';
import { insertInstance } from '../support/instance-row.ts';

/** Nobody performs anything here, so every state stays what it is until a wish moves it. */
const app = await startTestApp({ environment: { ROLE: 'api' } });
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);

const SINCE = { provisioning: 1, agent: 1, host: 1, recovery: 1 };

const REQUESTS: Readonly<Record<WishName, (vmid: number) => readonly [string, string]>> = {
  start: (vmid) => ['POST', `/api/servers/${vmid}/host/start`],
  stop: (vmid) => ['POST', `/api/servers/${vmid}/host/stop`],
  restart: (vmid) => ['POST', `/api/servers/${vmid}/host/restart`],
  retry: (vmid) => ['POST', `/api/servers/${vmid}/retry`],
  delete: (vmid) => ['DELETE', `/api/containers/${vmid}`],
  force_delete: (vmid) => ['DELETE', `/api/containers/${vmid}?force=true`],
  backup: (vmid) => ['POST', `/api/game/servers/${vmid}/backups`],
  restore: (vmid) => ['POST', `/api/game/servers/${vmid}/backups/restore?id=b-1`],
  verify_backup: (vmid) => ['POST', `/api/game/servers/${vmid}/backups/verify?id=b-1`],
  delete_backup: (vmid) => ['DELETE', `/api/game/servers/${vmid}/backups/b-1`],
};

/** Puts an instance into a state, as if it had come there by itself. */
async function put(vmid: number, { value, context, status }: InstanceSnapshot): Promise<void> {
  const id = `${vmid}-table`;
  const { hostname, payload } = sampleInput();
  const snapshot = {
    value,
    status,
    since: SINCE,
    context: { ...context, id, vmid, customerId: ALICE, hostname, payload },
  };
  await insertInstance(app.database.pool, { id, vmid, version: 7, machineVersion: 2, snapshot });
}

/** How an answer of the API is called in the table. */
function outcomeOf({ status, body }: Awaited<ReturnType<typeof alice.call>>): string {
  if (body.result === 'no_change') return 'no_change';
  if (status === 202 || status === 200) return 'accepted';
  return status === 409 ? body.reason : `${status} ${body.error}`;
}

describe('every wish in every state', () => {
  const states = everyKind(instanceMachine);
  let vmid = 20_000;

  test.each(Object.keys(REQUESTS) as WishName[])(
    '%s is answered as the machine says',
    async (wish) => {
      const differences: unknown[] = [];
      const outcomes = new Map<string, number>();
      for (const state of states) {
        vmid += 1;
        await put(vmid, state);
        const { value, context } = state;
        const explained = explainWishes({ value, context, since: SINCE } as never).find(
          (one) => one.wish === wish,
        );
        const expected = explained?.refusal?.code ?? 'accepted';
        const [method, path] = REQUESTS[wish](vmid);
        const answer = await alice.call(method, path);
        const outcome = outcomeOf(answer);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        // Whoever deletes twice is told of the deletion that runs: for a client that is success.
        const isRepeated = expected === 'deletion_in_progress' && wish.endsWith('delete');
        if (outcome !== (isRepeated ? 'accepted' : expected)) {
          differences.push({ state: value, expected, outcome, body: answer.body });
        }
        const { version } = (
          await app.database.pool.query('SELECT version FROM container_instance WHERE vmid = $1', [
            vmid,
          ])
        ).rows[0];
        const hasMoved = version > 7;
        if (hasMoved !== (expected === 'accepted'))
          differences.push({ state: value, expected, version });
      }
      expect(differences).toEqual([]);
      expect([...outcomes.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(100);
      expect([...outcomes.keys()]).toContain('accepted');
    },
  );
});
