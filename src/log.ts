import { type Logger, pino } from 'pino';
import { codeOf, ExpectedError } from './expected.ts';

export type { Logger };

/** How much is kept of what cannot be written at the moment, in bytes; what comes beyond it is dropped. */
const kept = 64 * 1024;

/**
 * A log of JSON lines on stderr. It takes ids, counts, durations and error codes; the error serializer keeps
 * addresses, names and bodies out even where a library put them into a message (see `describeError`).
 */
export function createLog(level: string): Logger {
  const stderr = pino.destination({ dest: 2, sync: true, maxLength: kept });
  // a full disk, a terminal that was closed: whoever logs has something better to do than to fail for it
  stderr.on('error', () => {});
  return pino(
    { level, base: null, serializers: { err: describeError }, timestamp: pino.stdTimeFunctions.isoTime },
    stderr,
  );
}

/**
 * What may be written down about an error: its kind, its code and where it was thrown. The message of a
 * foreign error may quote a value (Postgres quotes bad input, an SMTP error quotes a mailbox), so everything
 * in quotes or brackets and everything that looks like an address is masked.
 */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const frames = framesOf(error).filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    code: codeOf(error),
    message: error instanceof ExpectedError ? error.message : mask(error.message),
    stack: frames.slice(0, 8).map((line) => line.trim()),
  };
}

/** Without the message, which stands before the frames and may hold lines of its own. */
function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message);
  return stack.slice(start < 0 ? 0 : start + message.length).split('\n');
}

/**
 * One line, without what stands from the first quote to the last: too much is masked rather than too little. An
 * apostrophe is no quote.
 */
function mask(message: string): string {
  return (message.split(/[\r\n\u2028\u2029]/)[0] ?? '')
    .slice(0, 300)
    .replace(/".*"|`.*`|(?<!\w)'.*'|[“„].*[”“]|«.*»|<.*>|\(.*\)=\(.*\)/gs, '…')
    .replace(/["“„«<`].*$|\([^)]*$|(?<!\w)'.*$/s, '…') // a quote that was cut off
    .replace(/\S+@\S*/g, '…');
}
