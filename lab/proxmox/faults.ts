import * as planned from '../faults.ts';

/** What shall go wrong with the next matching requests. `path` is tested without and with /api2/json. */
export type Fault = planned.FaultTarget & FaultKind;

type FaultKind =
  /** The connection breaks and nothing was done. */
  | { readonly kind: 'drop_before' }
  /** It was done, but the answer never arrives. */
  | { readonly kind: 'drop_after' }
  | { readonly kind: 'status'; readonly status: number; readonly text: string }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The request is accepted and its task ends like this; with afterEffect the work was done. */
  | {
      readonly kind: 'task_fails';
      readonly exitstatus: string;
      readonly afterEffect?: boolean;
    }
  /** Neither done nor answered: the connection stays open. */
  | { readonly kind: 'hang' };

export type FaultPlan = planned.FaultPlan<Fault>;
export type Faults = planned.Faults<Fault>;

export const createFaults = (): Faults => planned.createFaults({ prefix: '/api2/json' });
