import { callerOf, type Limits } from './auth/limits.ts';
import type { Caller } from './endpoint.ts';

/** @throws ControlPlaneError `limit_exceeded` to whoever writes too often */
export type AdmitSupport = (who: { readonly email: string }, caller: Caller) => Promise<void>;

/** Keeps our own mailbox from being flooded: by one address, by one caller, and by all of them. */
export function createSupportLimit({ support }: Pick<Limits, 'support'>): AdmitSupport {
  return async ({ email }, { ip }) => {
    const who = { ip, subjectId: null };
    await support.ofCaller.take(callerOf(ip), who);
    await support.ofAddress.take(email.toLowerCase(), who);
    await support.ofAll.take('all', who);
  };
}
