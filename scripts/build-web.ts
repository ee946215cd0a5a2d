import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress } from 'node:zlib';

/**
 * Builds the console page into web/dist, unless what is there was made of the same sources. The lab
 * and the tests do it by themselves.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = `${ROOT}web/dist/.made-of`;
const compress = promisify(brotliCompress);
const SOURCES = [
  'package-lock.json',
  'scripts/build-web.ts',
  'web/*.{html,json,ts}',
  'web/src/**/*.{ts,tsx,css}',
];

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  const paths = await Array.fromAsync(glob(SOURCES, { cwd: ROOT }));
  for (const path of paths.sort()) hash.update(path).update(await readFile(`${ROOT}${path}`));
  return hash.digest('hex');
}

/** Beside each file, as it is sent to whoever can unpack it. */
async function pack(): Promise<void> {
  const built = await Array.fromAsync(glob('web/dist/**/*.{html,js,css}', { cwd: ROOT }));
  await Promise.all(
    built.map(async (path) => {
      await writeFile(`${ROOT}${path}.br`, await compress(await readFile(`${ROOT}${path}`)));
    }),
  );
}

/** @returns whether there was anything to do */
export async function buildWeb(): Promise<boolean> {
  const wanted = await fingerprint();
  if ((await readFile(STAMP, 'utf8').catch(() => '')) === wanted) return false;
  const args = [`${ROOT}node_modules/vite/bin/vite.js`, 'build', 'web', '--logLevel', 'warn'];
  // Whoever tests is served what everybody is served.
  const env = { ...process.env, NODE_ENV: 'production' };
  const build = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' });
  const [code] = await once(build, 'exit');
  if (code !== 0) throw new Error(`the console page was not built: vite ended with ${code}`);
  await pack();
  await writeFile(STAMP, wanted);
  return true;
}

if (import.meta.main) {
  console.log((await buildWeb()) ? 'built the console page' : 'the console page is up to date');
}
