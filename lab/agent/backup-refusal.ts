/** What is asked of backups and refused; the code is the member `error` of the answer. */
export class BackupRefusal extends Error {
  override readonly name = 'BackupRefusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, details: string) {
    super(details);
    this.status = status;
    this.code = code;
  }
}

export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  ((error as NodeJS.ErrnoException).code === 'ENOSPC' || /No space left/.test(error.message));

export const diskFull = () => new BackupRefusal(507, 'disk_full', 'no space left on the disk');
