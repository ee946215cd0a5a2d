import type { SubscriptionContext } from './types.ts';

/** Version 1 did not know that its owner may be an administrator. */
type OldContext = Omit<SubscriptionContext, 'isExempt'>;

/** A stored state of any version. */
interface Snapshot {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
  readonly since: Readonly<Record<string, number>>;
}

/** How a stored state of version n becomes one of version n + 1. Never changed once released. */
export const migrations: Readonly<Record<number, (snapshot: Snapshot) => Snapshot>> = {
  /** Version 2 knows whether its owner pays at all; if not, it is told so. */
  1: ({ value, context, since, ...rest }) => ({
    ...rest,
    value: { ...(value as Record<string, unknown>), exemption: 'liable' },
    since: { ...since, exemption: since['standing'] ?? 0 },
    context: { ...(context as OldContext), isExempt: false },
  }),
};
