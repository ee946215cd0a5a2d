import { z } from 'zod';

const entry = z.object({
  name: z.string(),
  type: z.enum(['file', 'folder', 'link', 'other']),
  size: z.int(),
  modifiedAt: z.string(),
  etag: z.string(),
});

export const pageView = z
  .object({
    path: z.string(),
    entries: z.array(entry),
    next: z.string().nullable().describe('`after` of the next page; null: there is none'),
  })
  .meta({ id: 'FilePage' });

export const entryView = entry.extend({ path: z.string() }).meta({ id: 'File' });

export const statView = entry
  .extend({ path: z.string(), sha256: z.string().optional() })
  .meta({ id: 'FileStat' });

export const contentView = z
  .object({ path: z.string(), content: z.string(), etag: z.string(), size: z.int() })
  .meta({ id: 'FileContent' });

export const receivedView = z
  .object({ path: z.string(), received: z.int().describe('The next `offset`') })
  .meta({ id: 'UploadState' });

export const doneView = z.object({ ok: z.literal(true) });

export const bytesView = z.string().meta({ format: 'binary' });
