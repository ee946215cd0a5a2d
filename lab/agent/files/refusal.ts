/** By the word that stands in the member `error` of the answer. */
const STATUS = {
  path_refused: 400,
  invalid_request: 400,
  access_denied: 403,
  no_such_file: 404,
  no_such_upload: 404,
  exists: 409,
  is_folder: 409,
  not_a_folder: 409,
  not_a_file: 409,
  not_empty: 409,
  into_itself: 409,
  upload_in_progress: 409,
  maintenance_in_progress: 409,
  offset_mismatch: 409,
  length_required: 411,
  precondition_failed: 412,
  too_large: 413,
  range_not_satisfiable: 416,
  checksum_mismatch: 422,
  disk_full: 507,
} as const;

type FileWord = keyof typeof STATUS;

export class FileRefusal extends Error {
  override readonly name = 'FileRefusal';
  readonly code: FileWord;
  readonly status: number;
  /** Further members of the answer. */
  readonly more: Readonly<Record<string, unknown>>;

  constructor(code: FileWord, message: string, more: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.status = STATUS[code];
    this.more = more;
  }
}

const WORDS: Readonly<Record<string, FileWord>> = {
  ENOENT: 'no_such_file',
  EEXIST: 'exists',
  ENOTEMPTY: 'not_empty',
  EISDIR: 'is_folder',
  ENOTDIR: 'not_a_folder',
  EINVAL: 'into_itself',
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EFBIG: 'too_large',
  EACCES: 'access_denied',
  EPERM: 'access_denied',
  ELOOP: 'path_refused',
  ENAMETOOLONG: 'path_refused',
};

/** What the disk refuses is refused by its word; all else is a mistake of ours. */
export function toRefusal(error: unknown): FileRefusal | null {
  if (error instanceof FileRefusal) return error;
  const { code = '', message } = (error ?? {}) as NodeJS.ErrnoException;
  const word = WORDS[code];
  return word ? new FileRefusal(word, message.replace(/ '.*$/s, '')) : null;
}
