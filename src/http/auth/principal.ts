import { ControlPlaneError } from '../../errors.ts';

export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who is asking, and by what. */
export interface Principal {
  readonly userId: string;
  /** What may be done in this role; an API token without the scope `admin` never has that role. */
  readonly role: 'user' | 'admin';
  /** When the token ends, Unix ms. */
  readonly expiresAt?: number;
  /** Of the session, or of the API token. */
  readonly credentialId: string;
  /** Of an API token; null: a sign-in, which may do whatever its role may. */
  readonly scopes: readonly Scope[] | null;
}

/** @throws ControlPlaneError `unauthenticated` */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

/** Somebody else's instance answers like one that does not exist. */
export const maySee = ({ userId, role }: Principal, customerId: string | null): boolean =>
  role === 'admin' || userId === customerId;

/** @throws ControlPlaneError `scope_missing` */
export function requireScope({ scopes }: Principal, scope: Scope | 'session'): void {
  if (scopes === null || scopes.some((one) => one === scope)) return;
  throw new ControlPlaneError('scope_missing', `the API token is not for this: ${scope}`, {
    details: { scope },
  });
}

/** The session of whoever is asking, where `sessionOnly` has let nobody else in. */
export function sessionOf({ credentialId, scopes }: Principal): string {
  if (scopes !== null) throw new Error('an API token has come where only a sign-in may');
  return credentialId;
}
