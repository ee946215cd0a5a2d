import { CronExpressionParser } from 'cron-parser';

/** A time that comes back, as cron says it: five fields, in a time zone of the IANA. */
export interface Cron {
  readonly cron: string;
  readonly timezone: string;
}

const FIELDS = 5;
const PROBES = 8;

/** The first time after `after` (Unix ms). @throws Error if there is none, or it is no such text */
export function nextTime({ cron, timezone }: Cron, after: number): Date {
  if (cron.trim().split(/\s+/).length !== FIELDS) throw new Error('expected five fields');
  const options = { currentDate: new Date(after), tz: timezone };
  return CronExpressionParser.parse(cron, options).next().toDate();
}

/** The shortest pause between some of the next times. @throws as `nextTime` does */
export function shortestPauseMs(cron: Cron, after: number): number {
  let shortest = Number.POSITIVE_INFINITY;
  let last = nextTime(cron, after).getTime();
  for (let probe = 0; probe < PROBES; probe += 1) {
    const next = nextTime(cron, last).getTime();
    shortest = Math.min(shortest, next - last);
    last = next;
  }
  return shortest;
}
