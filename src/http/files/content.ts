import type { AgentFiles } from '../../clients/agent/files.ts';
import { ConflictError, ControlPlaneError } from '../../errors.ts';

export interface Content {
  readonly content: string;
  readonly etag: string;
  readonly size: number;
}

/** A file as text, if it is one, and not too large to be edited. */
export async function readContent(
  files: Pick<AgentFiles, 'read'>,
  ip: string,
  file: { readonly path: string; readonly bytesMax: number },
  signal: AbortSignal,
): Promise<Content> {
  const { bytes, etag, size } = await files.read(ip, file, { signal });
  if (!bytes) throw tooLarge(file.bytesMax);
  return { content: toText(bytes), etag, size };
}

export const tooLarge = (bytesMax: number): ControlPlaneError =>
  new ControlPlaneError('body_too_large', `more than ${bytesMax} bytes cannot be edited`, {
    details: { bytesMax },
  });

function toText(bytes: Buffer): string {
  try {
    // What is written back must be what was read, with its mark of byte order.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ConflictError('the file is no text in UTF-8', {
      cause,
      details: { reason: 'not_text' },
    });
  }
}
