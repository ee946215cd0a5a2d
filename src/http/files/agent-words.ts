import {
  ConflictError,
  ControlPlaneError,
  type ErrorCode,
  InvalidInputError,
  NotFoundError,
  UpstreamError,
} from '../../errors.ts';
import { agentRefusal } from '../agent-access.ts';

/** Of what stands in docs/files.md; another word is passed on as it is, as `agent_refused`. */
const CODES: Readonly<Record<string, readonly [ErrorCode, message: string]>> = {
  path_refused: ['invalid_input', 'the path leads out of the server'],
  no_such_file: ['not_found', 'there is no such file'],
  no_such_upload: ['not_found', 'there is no such upload, or it has succeeded'],
  exists: ['conflict', 'there is something of that name'],
  is_folder: ['conflict', 'it is a folder'],
  not_a_folder: ['conflict', 'it is no folder'],
  not_a_file: ['conflict', 'it is no plain file'],
  not_empty: ['conflict', 'the folder is not empty'],
  into_itself: ['conflict', 'a folder cannot be moved into itself'],
  upload_in_progress: ['conflict', 'this upload is being sent already'],
  offset_mismatch: ['conflict', 'the upload goes on elsewhere'],
  precondition_failed: ['precondition_failed', 'the file is another one'],
  too_large: ['body_too_large', 'the file is larger than the agent takes'],
  range_not_satisfiable: ['range_not_satisfiable', 'the file ends before that'],
  checksum_mismatch: ['checksum_mismatch', 'what has arrived is something else'],
  maintenance_in_progress: ['refused', 'a backup is being restored'],
  disk_full: ['disk_full', 'there is not so much left on the disk'],
};

/** What the agent says of a file, as the problem that the client is to see. */
export async function askForFiles<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toFileError(error);
  }
}

function toFileError(cause: unknown): unknown {
  if (!(cause instanceof UpstreamError) || cause.reason !== 'agent_refused') return cause;
  const { status, agentError, ...more } = cause.details;
  const [code, message] = CODES[String(agentError)] ?? [];
  // The agent does not know us: that is no mistake of the client.
  if (status === 401) return cause;
  if (code === undefined || message === undefined) return agentRefusal(cause);
  const options = { cause, details: { reason: agentError, ...more } };
  if (code === 'invalid_input') return new InvalidInputError(message, options);
  if (code === 'not_found') return new NotFoundError(message, options);
  if (code === 'conflict') return new ConflictError(message, options);
  return new ControlPlaneError(code, message, options);
}
