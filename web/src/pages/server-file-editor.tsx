import { useState } from 'react';

import { call } from '../api/client.ts';
import type { FileContent } from '../api/schema.ts';
import { Problem } from '../parts/problem.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

/** A text file. What is written back replaces only what was read, or nothing if it is new. */
export function FileEditor({
  id,
  path,
  isNew,
  onEnd,
}: {
  readonly id: number;
  readonly path: string;
  readonly isNew: boolean;
  readonly onEnd: () => void;
}) {
  const { value, problem } = useResource(`file ${id} ${path}`, async (signal) => {
    if (isNew) return { file: null };
    const input = { path: { id }, query: { path }, signal };
    return { file: await call('GET /api/servers/{id}/files/content', input) };
  });
  return (
    <section aria-label={`File ${path}`}>
      <div className="title">
        <h2>{path}</h2>
        <button type="button" onClick={onEnd}>
          Back to the folder
        </button>
      </div>
      <Problem problem={problem} />
      {value && <Text id={id} path={path} file={value.file} />}
    </section>
  );
}

function Text({
  id,
  path,
  file,
}: {
  readonly id: number;
  readonly path: string;
  readonly file: FileContent | null;
}) {
  const [etag, setEtag] = useState(file?.etag ?? null);
  const [saved, setSaved] = useState(file?.content ?? '');
  const [content, setContent] = useState(saved);
  const { isRunning, problem, run } = useSubmission();
  const isChanged = content !== saved || etag === null;

  async function save(): Promise<void> {
    const written = content;
    const headers = etag === null ? { 'if-none-match': '*' } : { 'if-match': etag };
    const input = { path: { id }, query: { path }, body: { content: written }, headers };
    const answer = await call('PUT /api/servers/{id}/files/content', input);
    setEtag(answer.etag);
    setSaved(written);
  }

  return (
    <>
      <textarea
        aria-label={`Text of ${path}`}
        spellCheck={false}
        rows={24}
        value={content}
        onChange={(event) => setContent(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          if (isChanged) run(save);
        }}
      />
      <Problem problem={problem} />
      <div className="buttons">
        <button
          type="button"
          className="main"
          disabled={isRunning || !isChanged}
          onClick={() => run(save)}
        >
          Save
        </button>
        <span className="quiet" role="status">
          {etag === null ? 'A new file' : isChanged ? 'Not saved yet' : 'As it is on the server'}
        </span>
      </div>
    </>
  );
}
