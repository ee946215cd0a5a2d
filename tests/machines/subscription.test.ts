import { describe, expect, test } from 'vitest';
import { getNextTransitions, initialTransition } from 'xstate';

import { createTransition } from '../../src/actors/transition.ts';
import { isAwaited } from '../../src/machines/subscription/calls.ts';
import { subscriptionMachine } from '../../src/machines/subscription/machine.ts';
import type { SubscriptionEffect } from '../../src/machines/subscription/types.ts';
import { allowedActions, explain } from '../../src/machines/subscription/wishes.ts';
import {
  observed,
  type SubscriptionSnapshot,
  sampleSubscription,
} from '../support/subscription-model.ts';

const step = createTransition(subscriptionMachine);

/** A life that can be played on. `see`: Stripe has changed to this, and is read. */
function begin() {
  let at = 1_000;
  let snapshot: SubscriptionSnapshot = initialTransition(
    subscriptionMachine,
    sampleSubscription({ at }),
  )[0];
  const effects: SubscriptionEffect[] = [];
  const send = (event: { type: string; [field: string]: unknown }) => {
    const [next, actions] = step(snapshot, { at, ...event } as { type: string });
    snapshot = next;
    for (const { params } of actions) {
      const effect = (params as { effect?: SubscriptionEffect }).effect;
      if (effect) effects.push(effect);
    }
  };
  const read = (seen: ReturnType<typeof observed> | null) =>
    send({ type: 'subscription.observed', opId: snapshot.context.ops.sync?.id, observed: seen });
  return {
    send,
    read,
    effects,
    kinds: () => effects.splice(0).map(({ kind }) => kind),
    see(status: string, more: object = {}) {
      send({ type: 'stripe.changed', why: 'webhook' });
      read(observed(status, more));
    },
    /** `timer` goes off after its time. */
    pass(timer: string, ms: number) {
      at += ms;
      const due = getNextTransitions(snapshot).find(({ eventType }) =>
        eventType.startsWith(`xstate.after.${timer}.`),
      );
      if (!due) throw new Error(`no timer ${timer} runs`);
      send({ type: due.eventType });
    },
    get state() {
      return snapshot;
    },
  };
}

const wish = (type: string, more: object = {}) => ({
  ...{ type, operationId: 'op-1', requestedBy: 'u-1' },
  ...more,
});
const LARGE = { planId: 'large', priceId: 'price_large' };

describe('standing', () => {
  test('follows what was read from Stripe, and only that', () => {
    const life = begin();

    life.see('trialing');
    expect(life.state.value.standing).toBe('trialing');
    life.see('active');
    expect(life.state.value.standing).toBe('active');
    life.send({ type: 'subscription.observed', opId: 'stale', observed: null });

    expect(life.state.value.standing).toBe('active');
    expect(life.kinds()).toEqual(['stripe.read', 'stripe.read']);
  });

  test('waits for a payment that failed, reminds of it, suspends, and restores when it is paid', () => {
    const life = begin();
    life.see('active');
    life.kinds();

    life.see('past_due');
    expect(life.kinds()).toEqual(['stripe.read', 'billing.mail']);
    life.pass('reminderPause', 1_000);
    life.pass('reminderPause', 1_000);
    expect(life.state.value.reminders).toBe('reminded');
    const mails = life.effects.map((effect) => 'key' in effect && effect.key);
    expect(mails).toEqual(['payment_failed/sub-u-1/1000/2', 'payment_failed/sub-u-1/1000/3']);
    life.kinds();
    life.pass('graceDeadline', 1_000);

    expect(life.state.value).toMatchObject({ standing: 'suspended', reminders: 'quiet' });
    expect(life.state.context).toMatchObject({ suspendedAt: 4_000, keptUntil: 14_000 });
    expect(life.effects).toMatchObject([
      { kind: 'billing.apply', reason: 'payment_due', order: 1 },
      { kind: 'billing.mail', mail: { kind: 'suspended' } },
    ]);
    life.kinds();
    life.see('active');
    expect(life.state.context).toMatchObject({ suspendedAt: null, pastDueSince: null });
    expect(life.effects).toMatchObject([
      { kind: 'stripe.read' },
      { kind: 'billing.apply', reason: null, order: 2 },
      { kind: 'billing.mail', mail: { kind: 'restored' } },
    ]);
  });

  test('one that is paid within the time is as it was, and the next time begins anew', () => {
    const life = begin();
    life.see('active');
    life.see('past_due');
    life.see('active');

    expect(life.state.context).toMatchObject({
      pastDueSince: null,
      reminded: 0,
      suspendedAt: null,
    });
    expect(life.effects.map(({ kind }) => kind)).not.toContain('billing.apply');
  });

  test('what nobody pays for is kept for its time and then deleted, also if Stripe ends it', () => {
    const life = begin();
    life.see('active');
    life.see('past_due');
    life.pass('graceDeadline', 3_000);
    life.see('canceled');
    life.kinds();

    expect(life.state.context.keptUntil).toBe(14_000);
    life.pass('keepDeadline', 10_000);

    expect(life.state.value).toMatchObject({ standing: 'expiring', sync: 'reading' });
    expect(life.kinds()).toEqual(['stripe.read']);
    life.read(observed('canceled'));
    expect(life.state.value.standing).toBe('expired');
    expect(life.effects.splice(0)).toMatchObject([
      { kind: 'billing.expire', order: 2 },
      { kind: 'billing.cancel', order: 2, subscriptionId: 'sub_1' },
    ]);
  });

  test('nothing is deleted by the clock alone: what was paid meanwhile, unheard of, is found first', () => {
    const life = begin();
    life.see('active');
    life.see('past_due');
    life.pass('graceDeadline', 3_000);
    life.send({ type: 'stripe.changed', why: 'webhook' });
    life.kinds();

    life.pass('keepDeadline', 10_000);
    // Of a reading that had begun before the time was up.
    life.read(observed('past_due'));
    expect(life.state.value).toMatchObject({ standing: 'expiring', sync: 'reading' });
    life.read(observed('active'));

    expect(life.state.value.standing).toBe('active');
    expect(life.kinds()).not.toContain('billing.expire');
  });

  test('what has ended and is within what costs nothing goes on', () => {
    const life = begin();
    life.see('active');

    life.see('canceled', { fitsDefault: true });

    expect(life.state.value.standing).toBe('none');
    expect(life.kinds()).not.toContain('billing.apply');
  });
});

describe('whoever has nothing to pay for any more', () => {
  test.each(['suspended', 'canceled', 'expiring', 'expired'])(
    'and uses no more than costs nothing was left %s, unable to pay',
    (standing) => {
      const life = begin();
      life.see('past_due');
      if (standing === 'canceled') life.see('canceled');
      else life.pass('graceDeadline', 3_000);
      if (standing.startsWith('expir')) life.pass('keepDeadline', 10_000);
      if (standing === 'expired') life.read(observed('past_due'));
      expect(life.state.value.standing).toBe(standing);
      life.kinds();

      if (standing === 'expiring') life.read(observed('canceled', { fitsDefault: true }));
      else life.see('canceled', { fitsDefault: true });

      expect(life.state.value.standing).toBe('none');
      expect(life.state.context.suspendedAt).toBeNull();
      expect(life.kinds()).toContain('billing.apply');
    },
  );

  test('was stopped when the default plan was made smaller', () => {
    const life = begin();
    life.see('active');
    life.see('canceled', { fitsDefault: true });

    life.see('canceled');

    expect(life.state.value.standing).toBe('none');
    expect(life.kinds()).not.toContain('billing.apply');
    life.see('active', { subscriptionId: 'sub_2' });
    life.see('canceled', { subscriptionId: 'sub_2' });
    expect(life.state.value.standing).toBe('canceled');
  });
});

test('a price that is not known any more took the plan away', () => {
  const life = begin();
  life.see('active');
  life.see('active', { planId: null });
  expect(life.state.context.observed?.planId).toBe('small');

  life.see('active', { planId: null, subscriptionId: 'sub_2' });

  expect(life.state.context.observed?.planId).toBeNull();
});

describe('an owner who becomes an administrator', () => {
  test('has what was suspended back, however long nobody pays, and as long as others afterwards', () => {
    const life = begin();
    life.see('past_due');
    life.pass('graceDeadline', 3_000);
    life.kinds();

    life.send({ type: 'owner.exempted' });
    expect(life.effects.splice(0)).toMatchObject([
      { kind: 'billing.apply', reason: null, order: 2 },
    ]);
    life.pass('keepDeadline', 10_000);
    expect(life.state.value).toMatchObject({ standing: 'suspended', exemption: 'exempt' });
    life.send({ type: 'owner.charged' });

    // Nobody was written to while nothing was due.
    expect(life.effects.splice(0)).toMatchObject([
      { kind: 'billing.mail', mail: { kind: 'suspended', params: { keptUntil: 24_000 } } },
      { kind: 'billing.apply', reason: 'payment_due', order: 3 },
    ]);
    expect(life.state.context.keptUntil).toBe(24_000);
    life.pass('keepDeadline', 10_000);
    expect(life.state.value.standing).toBe('expiring');
  });

  test('while it is asked whether to delete keeps everything', () => {
    const life = begin();
    life.see('past_due');
    life.pass('graceDeadline', 3_000);
    life.pass('keepDeadline', 10_000);

    life.send({ type: 'owner.exempted' });
    life.read(observed('past_due'));

    expect(life.state.value).toMatchObject({ standing: 'suspended', sync: 'idle' });
    expect(life.kinds()).not.toContain('billing.expire');
  });

  test('is told nothing new by being told again', () => {
    const life = begin();
    life.send({ type: 'owner.exempted' });
    const exempted = life.state;

    life.send({ type: 'owner.exempted' });

    expect(life.state).toBe(exempted);
  });
});

describe('standing of whoever has bought again', () => {
  test.each(['suspended', 'canceled', 'expired'])(
    'one who is behind with another subscription was taken for %s',
    (standing) => {
      const life = begin();
      life.see('past_due');
      if (standing === 'canceled') life.see('canceled');
      else life.pass('graceDeadline', 3_000);
      if (standing === 'expired') {
        life.pass('keepDeadline', 10_000);
        life.read(observed('past_due'));
      }
      expect(life.state.value.standing).toBe(standing);
      life.see('past_due');
      expect(life.state.value.standing).toBe(standing);
      life.kinds();

      life.see('past_due', { subscriptionId: 'sub_2' });

      expect(life.state.value).toMatchObject({ standing: 'past_due', reminders: 'reminding' });
      expect(life.state.context).toMatchObject({ suspendedAt: null, reminded: 1 });
      expect(life.kinds().toSorted().slice(0, 2)).toEqual(['billing.apply', 'billing.mail']);
    },
  );
});

describe('sync', () => {
  test('a reading that something has overtaken is done again', () => {
    const life = begin();
    life.send({ type: 'stripe.changed', why: 'webhook' });
    life.send({ type: 'stripe.changed', why: 'webhook' });
    const marked = life.state;
    life.send({ type: 'stripe.changed', why: 'webhook' });
    expect(life.state).toBe(marked);

    life.read(observed('trialing'));

    expect(life.state.value.sync).toBe('reading');
    life.read(observed('active'));
    expect(life.state.value).toMatchObject({ sync: 'idle', standing: 'active' });
  });

  test('much news made the pause long after a single reading that failed', () => {
    const life = begin();
    life.send({ type: 'stripe.changed', why: 'webhook' });
    for (let n = 0; n < 9; n += 1) {
      life.send({ type: 'stripe.changed', why: 'webhook' });
      life.read(observed('active'));
    }

    const { opId } = life.effects.at(-1) ?? {};
    life.send({ type: 'effect.failed', opId, code: 'x', message: 'x', retryable: true });

    expect(life.state.value.sync).toBe('pausing');
    expect(life.state.context.attempts.sync).toBe(1);
  });

  test('Stripe is asked again while it does not answer', () => {
    const life = begin();
    life.send({ type: 'stripe.changed', why: 'webhook' });
    const first = life.effects[0] as SubscriptionEffect;
    life.pass('readDeadline', 120_000);
    life.pass('syncPause', 1_000);

    expect(life.kinds()).toEqual(['stripe.read', 'stripe.read']);
    expect(isAwaited(life.state.context, first)).toBe(false);
  });
});

describe('changes of the plan', () => {
  test('are made once, and what came of them is read', () => {
    const life = begin();
    life.see('active');
    life.kinds();

    life.send(wish('upgrade.requested', LARGE));
    const [effect] = life.effects;
    expect(effect).toMatchObject({ kind: 'stripe.change', change: 'upgrade', key: 'change/op-1' });
    life.send({
      ...{ type: 'effect.failed', opId: effect?.opId, retryable: true },
      ...{ code: 'no_answer', message: 'no answer' },
    });
    life.pass('changePause', 1_000);
    const again = life.effects.filter(({ kind }) => kind === 'stripe.change').at(-1);
    expect(again).toMatchObject({ key: 'change/op-1' });
    expect(again?.opId).not.toBe(effect?.opId);
    life.send({ type: 'change.made', opId: again?.opId });

    expect(life.state.context.change).toMatchObject({ state: 'succeeded', finishedAt: 2_000 });
    expect(life.state.value.sync).toBe('reading');
    expect(life.state.context.isStale).toBe(true);
  });

  test('one whose time was up left unread what Stripe had made of it', () => {
    const life = begin();
    life.see('active');
    life.send(wish('upgrade.requested', LARGE));
    life.kinds();

    life.pass('changeDeadline', 600_000);

    expect(life.state.context.change).toMatchObject({ error: { code: 'deadline_exceeded' } });
    expect(life.state.value).toMatchObject({ change: 'idle', sync: 'reading' });
    expect(life.kinds()).toEqual(['stripe.read']);
  });

  test('that Stripe refuses say why, and Stripe is read all the same', () => {
    const life = begin();
    life.see('active');
    life.send(wish('upgrade.requested', LARGE));
    const { opId } = life.effects.at(-1) ?? {};

    life.send({
      ...{ type: 'effect.failed', opId, retryable: false },
      ...{ code: 'refused', message: 'the card was declined' },
    });

    expect(life.state.context.change).toMatchObject({
      state: 'failed',
      error: { code: 'refused', message: 'the card was declined' },
    });
    expect(life.state.value).toMatchObject({ change: 'idle', sync: 'reading' });
  });

  test.each([
    ['not_subscribed', (life: ReturnType<typeof begin>) => life.see('canceled')],
    ['payment_due', (life: ReturnType<typeof begin>) => life.see('past_due')],
    ['same_plan', (life: ReturnType<typeof begin>) => life.see('active', { planId: 'large' })],
    [
      'change_pending',
      (life: ReturnType<typeof begin>) =>
        life.see('active', { pending: { planId: null, at: 9_000 } }),
    ],
    [
      'change_in_progress',
      (life: ReturnType<typeof begin>) => {
        life.see('active');
        life.send(wish('downgrade.requested', { planId: null, priceId: null }));
      },
    ],
  ])('are refused with the reason %s', (reason, prepare) => {
    const life = begin();
    prepare(life);
    const before = life.state;

    life.send(wish('upgrade.requested', LARGE));

    expect(life.state).toBe(before);
    expect(explain(before, wish('upgrade.requested', LARGE)).code).toBe(reason);
  });

  test('one that waits for the end of the period can be taken back', () => {
    const life = begin();
    life.see('active');
    expect(explain(life.state, wish('keep.requested')).code).toBe('no_change_pending');
    expect(allowedActions(life.state)).toEqual(['upgrade', 'downgrade']);

    life.see('active', { pending: { planId: null, at: 9_000 } });

    expect(allowedActions(life.state)).toEqual(['keep']);
    life.send(wish('keep.requested'));
    expect(life.effects.at(-1)).toMatchObject({ kind: 'stripe.change', change: 'keep' });
  });
});
