/**
 * So many bytes of a header, of the words of a mail and of each part of a report are looked at. Honest ones are far
 * shorter, and whoever writes to us must not decide how long we are busy with it.
 */
export const mostLookedAt = 128 * 1024;

/** Fields by their lower-case names; a name that occurs several times has several values. */
export type Fields = Map<string, string[]>;

/**
 * Reads a header, or one group of a report's fields (RFC 3464 section 2.1, RFC 5965 section 3): unfolded,
 * without comments' meaning taken out of them. Lines that are no fields are passed over, as all mail programs do.
 */
export function readFields(text: string): Fields {
  const fields: Fields = new Map();
  for (const line of text
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]+/g, ' ')
    .split('\n')) {
    const [, name, value] = /^([\x21-\x39\x3b-\x7e]{1,80})[ \t]*:(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const key = name.toLowerCase();
    const values = fields.get(key);
    if (values) values.push(value.trim());
    else fields.set(key, [value.trim()]);
  }
  return fields;
}

/** The fields of a message's header, which ends with the first empty line (RFC 5322 section 2.1). */
export function readHeader(message: string): Fields {
  return readFields(message.replace(/\r\n?/g, '\n').split('\n\n', 1)[0] ?? '');
}

/** The groups of a report, which blank lines separate. */
export function readGroups(text: string): Fields[] {
  return text
    .replace(/\r\n?/g, '\n')
    .split(/\n(?:[ \t]*\n)+/)
    .map(readFields)
    .filter(({ size }) => size > 0);
}

/** The first value of a field. */
export function field(fields: Fields, name: string): string | undefined {
  return fields.get(name)?.[0];
}

/** The value behind `type;`, as in `rfc822; name@brand.example` (RFC 3464 section 2.1.2). */
export function typedValue(value: string | undefined): { type: string; value: string } | undefined {
  const [, type, rest] = /^\s*([A-Za-z0-9-]{1,40})\s*;(.*)$/.exec(value ?? '') ?? [];
  return type === undefined || rest === undefined
    ? undefined
    : { type: type.toLowerCase(), value: rest.trim() };
}
