import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import type { MailTransport } from '../../src/clients/mail/client.ts';
import { type Arrived, begin, MESSAGE } from './mail-world.ts';

interface Fault {
  readonly fired: number;
}

interface World extends AsyncDisposable {
  transport(options?: { timeoutMs?: number; secret?: string }): MailTransport;
  arrived(): readonly Arrived[];
  /** The connection breaks before the message is there, or when it is. */
  breakBefore(): Fault;
  breakAfter(): Fault;
  hang(): Fault;
  /** Enough for whoever hangs to be met. */
  readonly patienceMs: number;
  refuse(how: 'for_now' | 'for_good'): Fault;
  stop(): PromiseLike<void>;
}

/** What whoever sends a mail may rely on, whichever way it leaves. */
export function describeTransport(
  name: string,
  { setUp, lost }: { setUp: () => Promise<World>; lost: string },
): void {
  const reasonOf = (sending: Promise<unknown>): Promise<string> =>
    sending.then(
      () => 'sent',
      (error: { reason?: string; message: string }) => error.reason ?? error.message,
    );

  describe(name, () => {
    test('takes a mail with both its bodies, as they were written', async () => {
      await using t = await setUp();

      const sent = await t.transport().send(MESSAGE, { begin });

      const { to, subject, text, html } = MESSAGE;
      expect(t.arrived()).toHaveLength(1);
      expect(t.arrived()[0]).toMatchObject({ to: [to], subject });
      expect(t.arrived()[0]?.text?.trimEnd()).toBe(text.trimEnd());
      expect(t.arrived()[0]?.html?.trimEnd()).toBe(html);
      expect(sent).toEqual({ transport: name, messageId: expect.stringMatching(/\w/) });
    });

    test('sends nothing unless it may, and nothing for whoever has given up', async () => {
      await using t = await setUp();
      const superseded = new Error('somebody else decides');
      const stopped = new Error('this node shuts down');

      const refused = t.transport().send(MESSAGE, { begin: () => Promise.reject(superseded) });
      await expect(refused).rejects.toBe(superseded);
      const late = t.transport().send(MESSAGE, { begin, signal: AbortSignal.abort(stopped) });
      await expect(late).rejects.toBe(stopped);

      expect(t.arrived()).toEqual([]);
    });

    test('tells a mail that is certainly not taken from one that may be', async () => {
      await using t = await setUp();
      const transport = t.transport();
      const before = t.breakBefore();
      const early = await reasonOf(transport.send(MESSAGE, { begin }));
      const afterBefore = t.arrived().length;
      const after = t.breakAfter();

      const late = await reasonOf(transport.send({ ...MESSAGE, id: 'mail-2' }, { begin }));

      expect([early, late]).toEqual([name === 'smtp' ? 'not_connected' : lost, lost]);
      expect([afterBefore, t.arrived().length]).toEqual([0, 1]);
      expect([before.fired, after.fired]).toEqual([1, 1]);
    });

    test('ends in time with whoever does not answer', async () => {
      await using t = await setUp();
      const fault = t.hang();
      const startMs = performance.now();

      const reason = await reasonOf(
        t.transport({ timeoutMs: t.patienceMs }).send(MESSAGE, { begin }),
      );

      expect(reason).toBe(name === 'smtp' ? 'timed_out' : lost);
      expect(performance.now() - startMs).toBeLessThan(4_000);
      expect(fault.fired).toBe(1);
    });

    test.each([
      ['for_now', 'refused_for_now', true],
      ['for_good', 'message_refused', false],
    ] as const)('says whether a mail that is refused %s may be taken later', async (...row) => {
      const [how, reason, retryable] = row;
      await using t = await setUp();
      const fault = t.refuse(how);

      const sending = t.transport().send(MESSAGE, { begin });

      await expect(sending).rejects.toMatchObject({ reason, retryable });
      expect(t.arrived()).toEqual([]);
      expect(fault.fired).toBe(1);
    });

    test('is told by nobody there, and by whoever does not know us, without our secrets', async () => {
      await using t = await setUp();
      const secret = 'a-secret-that-nobody-knows';
      const stranger = await t
        .transport({ secret })
        .send(MESSAGE, { begin })
        .catch((error: unknown) => error);
      await t.stop();
      const nobody = await t
        .transport()
        .send(MESSAGE, { begin })
        .catch((error: unknown) => error);

      expect(stranger).toMatchObject({ reason: 'unauthenticated' });
      expect(nobody).toMatchObject({ reason: 'not_connected', retryable: true });
      const shown = inspect([stranger, nobody], { depth: 10, showHidden: true });
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain(Buffer.from(secret).toString('base64').slice(0, 20));
      expect(shown).not.toContain('token=');
    });
  });
}
