/** Lines that came together, as they are sent: the same bytes to everybody. Never changed. */
export interface Chunk {
  /** The number of its first line. */
  readonly from: number;
  /** That of the line behind its last one. */
  readonly to: number;
  /** For viewers of the protocol: one frame. */
  readonly json: Buffer;
  /** For the others: a frame each line. Made when the first of them asks. */
  texts(): readonly Buffer[];
  /** What of it begins at this line, for whoever has the rest. */
  since(offset: number): Chunk;
}

export function createChunk(from: number, lines: readonly string[]): Chunk {
  let texts: readonly Buffer[] | undefined;
  const chunk: Chunk = {
    from,
    to: from + lines.length,
    json: Buffer.from(JSON.stringify({ type: 'output', offset: from, lines })),
    texts() {
      texts ??= lines.map((line) => Buffer.from(line));
      return texts;
    },
    since: (offset) => (offset <= from ? chunk : createChunk(offset, lines.slice(offset - from))),
  };
  return chunk;
}

/** Bytes of frames that are read at once without trouble; a single line always fits. */
const CHUNK_LENGTH_MAX = 64 * 1024;

export function createChunks(from: number, lines: readonly string[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let start = 0;
  let length = 0;
  for (const [index, line] of lines.entries()) {
    length += line.length;
    if (index === start || length <= CHUNK_LENGTH_MAX) continue;
    chunks.push(createChunk(from + start, lines.slice(start, index)));
    start = index;
    length = line.length;
  }
  if (start < lines.length) chunks.push(createChunk(from + start, lines.slice(start)));
  return chunks;
}
