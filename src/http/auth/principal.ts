/** Who is asking. */
export interface Principal {
  readonly userId: string;
  readonly role: 'user' | 'admin';
  /** When the token ends, Unix ms. */
  readonly expiresAt?: number;
}

/** @throws ControlPlaneError `unauthenticated` */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

/** Somebody else's instance answers like one that does not exist. */
export const maySee = ({ userId, role }: Principal, customerId: string | null): boolean =>
  role === 'admin' || userId === customerId;
