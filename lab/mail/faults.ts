import type { PlannedFault } from '../faults.ts';

/** What goes wrong with a mail, and to whom: any recipient if it does not say. */
export type MailFault = {
  readonly to?: RegExp;
  /** How many mails it strikes; 1 when left out. */
  readonly times?: number;
} & (
  | {
      /** The recipient is refused; or the message, after it was sent. */
      readonly kind: 'refuse_recipient' | 'refuse_message';
      readonly code: number;
      readonly text: string;
    }
  /** The connection breaks before the message is asked for; or after it was taken. */
  | { readonly kind: 'drop_before' | 'drop_after' }
  /** No answer, but the connection stays open: before, or after the message was taken. */
  | { readonly kind: 'hang_before' | 'hang_after' }
);

export interface MailFaults {
  plan(fault: MailFault): PlannedFault;
  clear(): void;
}

export type Phase = 'recipient' | 'message';

const PHASES: Readonly<Record<MailFault['kind'], Phase>> = {
  refuse_recipient: 'recipient',
  drop_before: 'recipient',
  hang_before: 'recipient',
  refuse_message: 'message',
  drop_after: 'message',
  hang_after: 'message',
};

export function createMailFaults(): MailFaults & {
  strike(phase: Phase, recipient: string): MailFault | undefined;
} {
  const planned = new Set<{ fault: MailFault; left: number; fired: number }>();
  return {
    plan(fault) {
      const entry = { fault, left: fault.times ?? 1, fired: 0 };
      planned.add(entry);
      return {
        get fired() {
          return entry.fired;
        },
        cancel: () => planned.delete(entry),
      };
    },
    clear: () => planned.clear(),
    strike(phase, recipient) {
      for (const entry of planned) {
        const { fault } = entry;
        if (PHASES[fault.kind] !== phase || entry.left <= 0) continue;
        if (fault.to && !fault.to.test(recipient)) continue;
        entry.left -= 1;
        entry.fired += 1;
        return fault;
      }
      return undefined;
    },
  };
}
