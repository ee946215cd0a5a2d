import type { AuditEntry } from '../../storage/audit.ts';
import type { Caller } from '../endpoint.ts';

/** What somebody has done to his own account. */
export const ownEntry = (
  action: string,
  userId: string | null,
  { ip }: Pick<Caller, 'ip'>,
  detail: AuditEntry['detail'] = {},
): AuditEntry => ({
  ...{ actorId: userId, subjectId: userId, action, outcome: 'done' as const, ip, detail },
});
