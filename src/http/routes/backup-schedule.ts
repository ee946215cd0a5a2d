import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { BackupPolicies } from '../../storage/backup-policies.ts';
import type { FindEntry } from '../../view/entry.ts';
import { firstTime, policyBody, policyView, viewPolicy } from '../backups/policy.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { refuseGame } from '../refusal.ts';
import { BACKUPS_PATH } from './backups.ts';
import { requireEntry, vmidParam } from './servers.ts';

const RUNS_MAX = 20;

export interface BackupScheduleDependencies {
  readonly find: FindEntry;
  readonly policies: Pick<BackupPolicies, 'find' | 'put' | 'listRuns'>;
  readonly now: () => number;
}

/** When backups are made by themselves, and how many are kept. */
export function backupScheduleEndpoints({
  find,
  policies,
  now,
}: BackupScheduleDependencies): readonly AnyEndpoint[] {
  const base = {
    tag: 'backups',
    path: `${BACKUPS_PATH}/schedule`,
    params: z.object({ id: vmidParam }),
    query: nothing,
    replies: { 200: policyView },
  } as const;

  const answer = async (id: string) => {
    const [policy, runs] = await Promise.all([policies.find(id), policies.listRuns(id, RUNS_MAX)]);
    return { status: 200, body: viewPolicy(policy, runs) };
  };

  return [
    endpoint({
      ...base,
      operationId: 'getBackupSchedule',
      summary: 'When backups are made by themselves, and what has become of that',
      method: 'get',
      body: nothing,
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        return answer((await requireEntry(find, id, principal)).id);
      },
    }),
    endpoint({
      ...base,
      operationId: 'putBackupSchedule',
      summary: 'Have backups made by themselves, and say how many are kept',
      method: 'put',
      body: policyBody,
      problems: ['invalid_input', 'unauthenticated', 'not_found', 'refused'],
      async handle({ params: { id: vmid }, body, principal }) {
        const { id, state } = await requireEntry(find, vmid, principal);
        if (state.context.ctype !== 'game') {
          throw refuseGame('not_a_game', `container ${vmid} is no game server`);
        }
        if (!(await policies.put(id, body, firstTime(body, now())))) {
          throw new NotFoundError(`there is no container ${vmid}`);
        }
        return answer(id);
      },
    }),
  ];
}
