import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

import type { Redis } from 'ioredis';
import type { Pool } from 'pg';

/** Clock ticks per second of /proc, the same on every Linux we know. */
const TICKS_PER_S = 100;

/** CPU seconds, ever since, of each part of what is measured. NaN: not known on this machine. */
export interface CpuSample {
  readonly postgres: number;
  readonly redis: number;
  /** Of everything that runs on this machine. */
  readonly machine: number;
}

export async function sampleCpu(pool: Pool, redis: Redis): Promise<CpuSample> {
  const [postgres, redisCpu, machine] = await Promise.all([
    cpuOfPostgres(pool),
    cpuOfRedis(redis),
    cpuOfMachine(),
  ]);
  return { postgres, redis: redisCpu, machine };
}

/** The backends alive, and the server process with all its children that have ended. */
async function cpuOfPostgres(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  const children = await Promise.all(rows.map(({ pid }) => readStat(pid)));
  const server = await readStat(children[0]?.parent ?? 0);
  return children.reduce((sum, { own }) => sum + own, server.own + server.ended);
}

async function readStat(pid: number) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in parentheses, may hold anything; the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number) => Number(fields[field] || Number.NaN) / TICKS_PER_S;
  return {
    parent: Number(fields[1]),
    own: seconds(11) + seconds(12),
    ended: seconds(13) + seconds(14),
  };
}

async function cpuOfRedis(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const read = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return read('used_cpu_sys') + read('used_cpu_user');
}

async function cpuOfMachine(): Promise<number> {
  const stat = await readFile('/proc/stat', 'utf8').catch(() => '');
  const [user, nice, system, , , irq, softirq, steal] = stat
    .slice(4, stat.indexOf('\n'))
    .trim()
    .split(/\s+/)
    .map(Number);
  const parts = [user, nice, system, irq, softirq, steal];
  return parts.reduce<number>((sum, part) => sum + (part ?? Number.NaN), 0) / TICKS_PER_S;
}

/** CPU seconds that the machine has in a second. */
export const coresOfMachine = (): number => cpus().length;

export const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
