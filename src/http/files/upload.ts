import type { AgentFiles, FileEntry, UploadOrder } from '../../clients/agent/files.ts';
import { ControlPlaneError, InvalidInputError } from '../../errors.ts';
import type { RequestStream } from '../request-stream.ts';
import { askForFiles } from './agent-words.ts';

interface Asked extends Omit<UploadOrder, 'length'> {
  readonly offset: number;
}

/**
 * All that can be known before the body travels.
 * @throws ControlPlaneError `length_required`, `body_too_large`, `invalid_input`
 */
export function readUploadOrder(asked: Asked, request: RequestStream, bytesMax: number) {
  const { length } = request;
  if (length === null) {
    throw new ControlPlaneError('length_required', 'say by Content-Length how long the body is');
  }
  const { offset, size = offset + length, uploadId } = asked;
  if (size > bytesMax) {
    const details = { bytesMax };
    throw new ControlPlaneError('body_too_large', `the file has more than ${bytesMax} bytes`, {
      details,
    });
  }
  if (offset + length > size) throw new InvalidInputError('offset and length exceed the size');
  if (uploadId === undefined && length < size) {
    throw new InvalidInputError('only an upload with an uploadId can come in parts');
  }
  return { ...asked, length, size } satisfies UploadOrder;
}

/** A number: so much is there now, and the rest is to come. */
export const sendUpload = (
  files: Pick<AgentFiles, 'upload'>,
  ip: string,
  order: UploadOrder,
  { request, signal }: { readonly request: RequestStream; readonly signal: AbortSignal },
): Promise<FileEntry | number> =>
  askForFiles(() => files.upload(ip, order, request.open, { signal }));
