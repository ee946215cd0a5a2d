/** Those that our server speaks well, by trial; any other version runs as the nearest of them. */
const TRIED = ['1.16.1', '1.20.4', '1.21.1', '1.21.4'] as const;
const VERSION = /^1\.(16|17|18|19|20|21)(\.\d{1,2})?$/;

export function isMinecraftVersion(version: string): boolean {
  return VERSION.test(version);
}

export function nearestVersion(version: string): string {
  const wanted = rank(version);
  return TRIED.reduce((best, tried) =>
    Math.abs(rank(tried) - wanted) < Math.abs(rank(best) - wanted) ? tried : best,
  );
}

function rank(version: string): number {
  const [, minor = 0, patch = 0] = version.split('.').map(Number);
  return minor * 100 + patch;
}
