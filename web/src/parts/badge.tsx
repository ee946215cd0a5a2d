import { spoken, useNow } from '../state/clock.ts';

const TONES: Readonly<Record<string, readonly string[]>> = {
  good: [
    ...['running', 'True', 'ok', 'published', 'connectable', 'succeeded', 'active', 'sent'],
    ...['reachable', 'trialing', 'exempt', 'online', 'live', 'verified'],
    ...['accepted', 'alive'],
  ],
  busy: [
    ...['installing', 'starting', 'stopping', 'restarting', 'deleting', 'pending', 'publishing'],
    ...['removing', 'queued', 'sending', 'connecting', 'idle', 'past_due'],
    'skipped',
  ],
  bad: [
    ...['error', 'crashed', 'failed', 'stuck', 'owed', 'offline', 'host offline', 'suspended'],
    ...['backend_unreachable', 'bounced', 'unreachable', 'canceled', 'expired', 'expiring', 'lost'],
    ...['damaged', 'missing', 'missed', 'silent', 'unlisted'],
  ],
};

const toneOf = (word: string): string =>
  Object.keys(TONES).find((tone) => TONES[tone]?.includes(word)) ?? 'plain';

/** One word of the service. */
export function Badge({ word }: { readonly word: string }) {
  return <span className={`badge ${toneOf(word)}`}>{word.replaceAll('_', ' ')}</span>;
}

/** How long ago something was, with the moment itself for whoever points at it. */
export function Age({
  at,
  before = '',
  after = ' ago',
}: {
  readonly at: string | number | null;
  readonly before?: string;
  readonly after?: string;
}) {
  const now = useNow();
  if (at === null) return <span className="age">never</span>;
  const then = new Date(at);
  return (
    <time className="age" dateTime={then.toISOString()} title={then.toLocaleString()}>
      {before}
      {spoken(now - then.getTime())}
      {after}
    </time>
  );
}

/** A moment to come. */
export function Due({ at }: { readonly at: string }) {
  const now = useNow();
  const then = new Date(at);
  const leftMs = then.getTime() - now;
  return (
    <time className="age" dateTime={at} title={then.toLocaleString()}>
      {leftMs > 0 ? `in ${spoken(leftMs)}` : `${spoken(-leftMs)} ago`}
    </time>
  );
}
