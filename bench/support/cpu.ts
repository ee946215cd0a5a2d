import { readFile } from 'node:fs/promises';

import type { Redis } from 'ioredis';
import type { Pool } from 'pg';

/** Clock ticks per second of /proc, the same on every Linux we know. */
const TICKS_PER_S = 100;

/** CPU seconds of all processes of the database's server; NaN where they are not on this Linux. */
export async function cpuOfPostgres(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  const seconds = await Promise.all(rows.map(({ pid }) => cpuOf(pid)));
  return seconds.reduce((sum, one) => sum + one, 0);
}

async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return Number.NaN;
  const [, , user, system] = /\) (?:\S+ ){11}((\d+) (\d+))/.exec(stat) ?? [];
  return (Number(user) + Number(system)) / TICKS_PER_S;
}

export async function cpuOfRedis(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const read = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return read('used_cpu_sys') + read('used_cpu_user');
}

export const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
