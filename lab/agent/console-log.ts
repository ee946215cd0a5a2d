import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * The console on disk, by the number of each line from the beginning of the log. It goes on where
 * it stopped when the agent is started again. `epoch` is another one when it was lost: then the
 * same numbers mean other lines.
 */
export interface ConsoleLog {
  readonly epoch: string;
  /** The first line that is still kept. */
  first(): number;
  /** The number that the next line will have. */
  next(): number;
  /** On disk when it returns: whoever is told of a line finds it after a restart. */
  append(line: string): void;
  /** Lines from there on, as many as a segment has: at least one, unless `from` is the end. */
  read(from: number, linesMax: number): readonly string[];
}

export interface LogLimits {
  /** After so many a file is full. */
  readonly segmentLines: number;
  readonly segmentBytes: number;
  readonly segmentsMax: number;
}

const LIMITS: LogLimits = { segmentLines: 4_000, segmentBytes: 512 * 1024, segmentsMax: 8 };

interface Segment {
  readonly path: string;
  readonly first: number;
  lines: number;
  bytes: number;
}

export function openConsoleLog(folder: string, limits: LogLimits = LIMITS): ConsoleLog {
  mkdirSync(folder, { recursive: true });
  const epoch = readEpoch(folder);
  const segments = findSegments(folder);
  let file: number | undefined;

  function current(): Segment {
    const last = segments.at(-1);
    const isFull = !last || last.lines >= limits.segmentLines || last.bytes >= limits.segmentBytes;
    if (!isFull) return last;
    if (file !== undefined) closeSync(file);
    file = undefined;
    const first = last ? last.first + last.lines : 0;
    const opened = { path: join(folder, `${String(first).padStart(12, '0')}.log`), first };
    segments.push({ ...opened, lines: 0, bytes: 0 });
    for (const dropped of segments.splice(0, segments.length - limits.segmentsMax)) {
      rmSync(dropped.path);
    }
    return segments.at(-1) as Segment;
  }

  const next = () => {
    const last = segments.at(-1);
    return last ? last.first + last.lines : 0;
  };
  return {
    epoch,
    next,
    first: () => segments[0]?.first ?? 0,
    append(line) {
      const segment = current();
      file ??= openSync(segment.path, 'a');
      segment.bytes += writeSync(file, `${line}\n`);
      segment.lines += 1;
    },
    read(from, linesMax) {
      const segment = segments.findLast(({ first }) => first <= from);
      if (!segment) return [];
      const start = from - segment.first;
      return linesOf(segment.path).slice(start, start + linesMax);
    },
  };
}

/** Without it nobody knows whose numbers the files have: all of it begins anew. */
function readEpoch(folder: string): string {
  const path = join(folder, 'epoch');
  try {
    return readFileSync(path, 'utf8');
  } catch {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const epoch = randomBytes(8).toString('hex');
    writeFileSync(path, epoch, { flag: 'wx' });
    return epoch;
  }
}

function findSegments(folder: string): Segment[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  const paths = names.sort().map((name) => join(folder, name));
  for (const path of paths.slice(-1)) dropTorn(path);
  return paths.map((path) => ({
    ...{ path, first: Number(/(\d+)\.log$/.exec(path)?.[1]) },
    ...{ lines: linesOf(path).length, bytes: readFileSync(path).length },
  }));
}

/** A line without its end was being written when the agent died, and nobody was told of it. */
function dropTorn(path: string): void {
  truncateSync(path, readFileSync(path).lastIndexOf('\n') + 1);
}

function linesOf(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop();
  return lines;
}
