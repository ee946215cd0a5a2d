/** Words that all regions share. */

export interface Failure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
}

/** A wish: who wants it, and the operation under which its outcome can be followed. */
export interface Wish {
  readonly operationId: string;
  readonly requestedBy: string;
}
