import type { IncomingMessage } from 'node:http';
import { z } from 'zod';

import { broken, type Transfer } from './transfer.ts';

export interface Download {
  /** 206 if it is the part that was asked for. */
  readonly status: 200 | 206;
  readonly etag: string;
  readonly size: number;
  readonly contentRange: string | undefined;
  readonly reprDigest: string | undefined;
  /** To be read, or destroyed. It errs if it ends before its end. */
  readonly body: IncomingMessage;
}

export const etag = z.string().regex(/^"[\x21\x23-\x7e]{1,100}"$/);

const downloadHeaders = z.object({
  etag,
  'content-length': z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
  'content-range': z
    .string()
    .regex(/^bytes \d{1,15}-\d{1,15}\/\d{1,15}$/)
    .optional(),
  'repr-digest': z
    .string()
    .regex(/^sha-256=:[\w+/]{43}=:$/)
    .optional(),
});

/** What we pass on of it is checked: an agent does not write our headers. */
export function readDownload(transfer: Transfer, body: IncomingMessage): Download {
  const { statusCode: status } = body;
  const { data: headers } = downloadHeaders.safeParse(body.headers);
  const contentRange = headers?.['content-range'];
  const isPart = status === 206 && contentRange !== undefined;
  if (!headers || !(isPart || (status === 200 && contentRange === undefined))) {
    body.destroy();
    throw broken(transfer, 'answer_unreadable');
  }
  return {
    ...{ status: isPart ? 206 : 200, contentRange, body },
    etag: headers.etag,
    size: headers['content-length'],
    reprDigest: headers['repr-digest'],
  };
}
