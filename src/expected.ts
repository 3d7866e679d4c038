/**
 * A failure that a person can mend: its message says what happened and what to do, and holds no personal
 * data, so it may be printed as it is. Everything else that is thrown is a surprise.
 */
export class ExpectedError extends Error {
  override name = 'ExpectedError';
}

/** The `code` of a system or driver error, if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
