/** An answer that is not 200: `text` is the HTTP reason phrase and the member `message`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly errors: Readonly<Record<string, string>> | undefined;

  constructor(status: number, text: string, errors?: Readonly<Record<string, string>>) {
    super(text);
    this.status = status;
    this.errors = errors;
  }
}

/** What the original answers when its Perl code dies: always 500, the text tells what happened. */
export function died(text: string): ApiError {
  return new ApiError(500, text);
}

export function badParameters(errors: Readonly<Record<string, string>>): ApiError {
  return new ApiError(400, 'Parameter verification failed.', errors);
}
