import type { Roles } from '../storage/credentials.ts';
import type { Principal } from './auth/principal.ts';

/** Why somebody who was let in may not stay: his token has ended, or it does not count any more. */
export type EndReason = 'auth_expired' | 'revoked';

/** Whoever stays for longer than a request: the client of a stream, the viewer of a console. */
export interface Staying {
  /** As he was when he was let in. */
  readonly principal: Principal;
  end(why: EndReason): void;
}

export interface PulseOptions {
  readonly clients: ReadonlySet<Staying>;
  readonly limits: { readonly heartbeatMs: number; readonly recheckMs: number };
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  /** Done every `heartbeatMs`: shows everybody that the stream is alive. */
  readonly beat: () => void;
  readonly now: () => number;
}

/** Keeps streams alive, and ends those whose tokens have ended or do not count any more. */
export function createPulse({ clients, limits, findRoles, beat, now }: PulseOptions) {
  let timers: readonly NodeJS.Timeout[] = [];
  let isAsking = false;

  function endExpired(): void {
    for (const client of clients) {
      const { expiresAt } = client.principal;
      if (expiresAt !== undefined && expiresAt <= now()) client.end('auth_expired');
    }
  }

  /** Whoever has been signed out, or has another role, comes back as what he is now. */
  async function endRevoked(): Promise<void> {
    const asked = [...clients];
    const ids = new Set(asked.map(({ principal }) => principal.credentialId));
    const roles = await findRoles([...ids], new Date(now()));
    for (const client of asked) {
      const { credentialId, role } = client.principal;
      if (roles.get(credentialId) !== role) client.end('revoked');
    }
  }

  return {
    start(): void {
      if (timers.length > 0) return;
      const beating = setInterval(() => {
        endExpired();
        beat();
      }, limits.heartbeatMs);
      const rechecking = setInterval(() => {
        endExpired();
        // While the database does not answer nobody can be signed out.
        if (isAsking) return;
        isAsking = true;
        endRevoked()
          .catch(() => {})
          .finally(() => {
            isAsking = false;
          });
      }, limits.recheckMs);
      timers = [beating.unref(), rechecking.unref()];
    },
    stop(): void {
      for (const timer of timers) clearInterval(timer);
      timers = [];
    },
  };
}
