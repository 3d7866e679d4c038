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

const reasons: Record<string, string> = {
  EACCES: 'the user whom this runs as may not do that',
  EPERM: 'the user whom this runs as may not do that',
  EROFS: 'nothing can be written there',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'what should be a folder on the way there is a file',
  EISDIR: 'there is a folder of that name',
  EEXIST: 'something of that name is there already',
  ENOTEMPTY: 'there is a folder of that name, with something in it',
  EBUSY: 'it is in use, or another disk is mounted there',
  ENOSPC: 'the disk is full',
  EDQUOT: 'no more of the disk may be used',
  EIO: 'the disk fails',
};

/** Why the system refused something, for a message: its code, and what that says (errno(3)). */
export function reasonOf(error: unknown): string {
  const code = codeOf(error) ?? 'no reason is known';
  return Object.hasOwn(reasons, code) ? `${code}: ${reasons[code]}` : code;
}
