import { createHmac, randomUUID } from 'node:crypto';

/** How Resend signs what it tells: https://docs.svix.com/receiving/verifying-payloads/how-manual */
export function signEvent(
  secret: string,
  body: string,
  now = Date.now(),
): Readonly<Record<'svix-id' | 'svix-timestamp' | 'svix-signature', string>> {
  const [id, timestamp] = [`msg_${randomUUID()}`, String(Math.floor(now / 1000))];
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'svix-id': id, 'svix-timestamp': timestamp, 'svix-signature': `v1,${digest}` };
}
