import type { MailTransport } from './client.ts';

/** For development only: whoever can read what we print can open any account. */
export function createConsoleTransport(print: (text: string) => void): MailTransport {
  return {
    name: 'console',
    isRepeatable: false,
    async send({ id, to, subject, text }, { begin }) {
      await begin('console');
      print(`\n--- mail to ${to}: ${subject}\n${text}\n---\n`);
      return { transport: 'console', messageId: id };
    },
  };
}
