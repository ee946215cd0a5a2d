import type { AnyEndpoint } from '../http/endpoint.ts';
import { createTransfers } from '../http/files/transfers.ts';
import { fileEndpoints } from '../http/routes/files.ts';
import type { FindEntry } from '../view/entry.ts';
import type { Foundation } from './foundation.ts';

const DIRECTIONS = ['upload', 'download'] as const;

/** The files of the containers, by their agents. */
export function createFileEndpoints(
  {
    actors,
    config,
    files,
    metrics,
    closing,
  }: Pick<Foundation, 'actors' | 'config' | 'files' | 'closing'> &
    Partial<Pick<Foundation, 'metrics'>>,
  find: FindEntry,
): readonly AnyEndpoint[] {
  const { transfersMax, uploadBytesMax, editBytesMax } = config.files;
  const transfers = createTransfers(transfersMax);
  metrics?.addSource({
    name: 'zpack_file_transfers',
    help: 'Files that this process is moving right now',
    labels: ['direction'],
    read: () =>
      DIRECTIONS.map((direction) => ({
        labels: { direction },
        value: transfers.count(direction),
      })),
  });
  const limits = { uploadBytesMax, editBytesMax };
  return fileEndpoints({ find, actors, files, transfers, limits, closing: closing.signal });
}
