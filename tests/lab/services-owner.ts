/**
 * A process that owns a PostgreSQL and a Redis until somebody ends it:
 * `node services-owner.ts <folder of lab/services> <dataDir> <cacheDir>`.
 * Says `{postgresUrl, postgresSource, redisUrl, uid}` on one line when both are up.
 */
import { pathToFileURL } from 'node:url';

const [, , services = '', dataDir = '', cacheDir = ''] = process.argv;
const load = (file: string) => import(pathToFileURL(`${services}/${file}`).href);
const { startPostgres } = (await load(
  'postgres.ts',
)) as typeof import('../../lab/services/postgres.ts');
const { startRedis } = (await load('redis.ts')) as typeof import('../../lab/services/redis.ts');

const log = (line: string) => process.stderr.write(`${line}\n`);
await using postgres = await startPostgres({ dataDir, durable: false, log });
await using redis = await startRedis({ dataDir, cacheDir, log });
const line = {
  postgresUrl: postgres.url,
  postgresSource: postgres.source,
  redisUrl: redis.url,
  uid: process.getuid?.(),
};
process.stdout.write(`${JSON.stringify(line)}\n`);

await new Promise((resolve) => process.stdin.on('end', resolve).resume());
