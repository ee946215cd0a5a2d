import { useState } from 'react';

import { call, send } from '../api/client.ts';
import type { FilePage } from '../api/schema.ts';
import { Age } from '../parts/badge.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Field, Form } from '../parts/field.tsx';
import { Problem } from '../parts/problem.tsx';
import { sizeOf } from '../parts/size.ts';
import { Table } from '../parts/table.tsx';
import { hrefOf } from '../router.ts';
import { type Resource, useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';
import { FileEditor } from './server-file-editor.tsx';

type Entry = FilePage['entries'][number];

interface Edited {
  readonly path: string;
  readonly isNew: boolean;
}

const EDIT_MAX_BYTES = 1_048_576;
const PAGE = 200;

const join = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);
const hrefOfPath = (id: number, path: string): string =>
  hrefOf('servers', id, 'files', ...path.split('/').filter(Boolean));

/** A folder of the server, or one file of it that is being edited. */
export function FilesTab({ id, path }: { readonly id: number; readonly path: string }) {
  const [edited, setEdited] = useState<Edited | null>(null);
  if (edited) return <FileEditor id={id} {...edited} onEnd={() => setEdited(null)} />;
  return <Folder key={path} id={id} path={path} onEdit={setEdited} />;
}

function Folder({
  id,
  path,
  onEdit,
}: {
  readonly id: number;
  readonly path: string;
  readonly onEdit: (file: Edited) => void;
}) {
  const [shown, setShown] = useState(1);
  const folder = useResource(`files ${id} ${path} ${shown}`, (signal) =>
    readPages(id, path, shown, signal),
  );
  const { value, problem } = folder;
  return (
    <section aria-label="Files">
      <Crumbs id={id} path={path} />
      <Problem problem={problem} />
      <Changes id={id} path={path} folder={folder} onEdit={onEdit} />
      {value && <Entries id={id} path={path} folder={folder} onEdit={onEdit} />}
      {value?.next && (
        <button type="button" onClick={() => setShown(shown + 1)}>
          More
        </button>
      )}
    </section>
  );
}

async function readPages(
  id: number,
  path: string,
  pages: number,
  signal: AbortSignal,
): Promise<FilePage> {
  let all: FilePage = { path, entries: [], next: null };
  for (let page = 0; page < pages; page += 1) {
    const after = all.next === null ? {} : { after: all.next };
    const query = { path, limit: PAGE, ...after };
    const next = await call('GET /api/servers/{id}/files', { path: { id }, query, signal });
    all = { ...next, entries: [...all.entries, ...next.entries] };
    if (all.next === null) break;
  }
  return all;
}

function Crumbs({ id, path }: { readonly id: number; readonly path: string }) {
  const parts = path.split('/').filter(Boolean);
  return (
    <nav className="crumbs" aria-label="Folder">
      <a href={hrefOfPath(id, '')}>server</a>
      {parts.map((name, place) => {
        const until = parts.slice(0, place + 1).join('/');
        return (
          <span key={until}>
            {' / '}
            <a href={hrefOfPath(id, until)}>{name}</a>
          </span>
        );
      })}
    </nav>
  );
}

interface InFolder {
  readonly id: number;
  readonly path: string;
  readonly folder: Resource<FilePage>;
  readonly onEdit: (file: Edited) => void;
}

function Changes({ id, path, folder, onEdit }: InFolder) {
  const { isRunning, problem, run } = useSubmission();
  const [making, setMaking] = useState<'folder' | 'file' | null>(null);

  async function upload(files: FileList | null): Promise<void> {
    for (const file of files ?? []) {
      const query = { path: join(path, file.name) };
      const headers = { 'if-none-match': '*' };
      const input = { path: { id }, query, body: file, headers };
      await call('POST /api/servers/{id}/files/upload', input);
    }
    folder.reload();
  }

  async function make(name: string): Promise<void> {
    const at = join(path, name);
    if (making === 'file') return onEdit({ path: at, isNew: true });
    await call('POST /api/servers/{id}/files/mkdir', { path: { id }, body: { path: at } });
    setMaking(null);
    folder.reload();
  }

  return (
    <>
      <div className="buttons">
        <label className="button">
          {isRunning ? 'Uploading …' : 'Upload'}
          <input
            type="file"
            multiple
            disabled={isRunning}
            onChange={({ target }) =>
              run(() => upload(target.files).finally(() => (target.value = '')))
            }
          />
        </label>
        <button type="button" onClick={() => setMaking('file')}>
          New file
        </button>
        <button type="button" onClick={() => setMaking('folder')}>
          New folder
        </button>
      </div>
      {making && (
        <Form className="inline" onSend={({ name = '' }) => run(() => make(name))}>
          <Field label={`Name of the new ${making}`} name="name" required />
          <button type="submit">Make it</button>
        </Form>
      )}
      <Problem problem={problem} />
    </>
  );
}

function Entries({ id, path, folder, onEdit }: InFolder) {
  const { isRunning, problem, run } = useSubmission();
  const [doubted, setDoubted] = useState<Entry | null>(null);

  async function remove({ name, type }: Entry): Promise<void> {
    const query = { path: join(path, name), ...(type === 'folder' && { recursive: 'true' }) };
    await call('DELETE /api/servers/{id}/files', { path: { id }, query });
    folder.reload();
  }

  return (
    <>
      <Problem problem={problem} />
      <Table
        caption="Files"
        none="The folder is empty."
        head={['Name', 'Size', 'Changed', 'What to do']}
        rows={(folder.value?.entries ?? []).map((entry) => ({
          key: entry.name,
          cells: [
            <Name key="name" entry={entry} id={id} path={path} onEdit={onEdit} />,
            entry.type === 'file' ? sizeOf(entry.size) : entry.type,
            <Age key="at" at={entry.modifiedAt} />,
            <div key="do" className="buttons">
              {entry.type === 'file' && (
                <button
                  type="button"
                  disabled={isRunning}
                  aria-label={`Download ${entry.name}`}
                  onClick={() => run(() => download(id, join(path, entry.name)))}
                >
                  Download
                </button>
              )}
              <button
                type="button"
                className="danger"
                disabled={isRunning}
                aria-label={`Delete ${entry.name}`}
                onClick={() => setDoubted(entry)}
              >
                Delete
              </button>
            </div>,
          ],
        }))}
      />
      {doubted && (
        <Confirm
          title={`Delete ${doubted.name}?`}
          verb="Delete"
          onNo={() => setDoubted(null)}
          onYes={() => {
            setDoubted(null);
            run(() => remove(doubted));
          }}
        >
          <p>{doubted.type === 'folder' ? 'With everything in it. ' : ''}This is final.</p>
        </Confirm>
      )}
    </>
  );
}

function Name({
  entry: { name, type, size },
  id,
  path,
  onEdit,
}: Pick<InFolder, 'id' | 'path' | 'onEdit'> & { readonly entry: Entry }) {
  const at = join(path, name);
  if (type === 'folder') return <a href={hrefOfPath(id, at)}>{name}/</a>;
  if (type !== 'file' || size > EDIT_MAX_BYTES) return name;
  return (
    <button type="button" className="link" onClick={() => onEdit({ path: at, isNew: false })}>
      {name}
    </button>
  );
}

/** A link cannot carry the token, so the file is fetched first and then handed over. */
async function download(id: number, path: string): Promise<void> {
  const query = new URLSearchParams({ path });
  const answer = await send(`/api/servers/${id}/files/download?${query}`, {});
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = path.split('/').at(-1) ?? 'file';
  link.click();
  URL.revokeObjectURL(address);
}
