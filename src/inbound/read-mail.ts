import { sha256 } from '../people/vault.ts';
import { type Fields, field, mostLookedAt, readFields, readGroups, readHeader } from './fields.ts';
import { takeApart } from './take-apart.ts';

/** A mail as the rules look at it. Nothing here is believed; all of it is what a stranger wrote. */
export type Mail = {
  header: Fields;
  subject: string;
  /** The bare address in From. */
  from: string;
  /** The words of its text parts; empty where it has HTML only. */
  text: string;
  /** The type that a multipart/report gives itself (RFC 6522), in lower case. */
  reportType?: string;
  /** The groups of its message/delivery-status part (RFC 3464). */
  deliveryStatus?: Fields[];
  /** The fields of its message/feedback-report part (RFC 5965). */
  feedback?: Fields;
  /** The header of the message that it returns. */
  returned?: Fields;
};

const options = {
  keepDeliveryStatus: true,
  ignoreEmbedded: true, // what is returned inside is not what is said
  skipHtmlToText: true,
  skipTextToHtml: true,
  skipImageLinks: true,
  skipTextLinks: true,
  checksumAlgo: false,
} as const;

const statusTypes = ['message/delivery-status', 'message/global-delivery-status'];
const returnedTypes = [
  'message/rfc822',
  'text/rfc822-headers',
  'message/rfc822-headers',
  'message/global',
  'message/global-headers',
];

/** Reads a message (RFC 5322, MIME); undefined when it cannot be read. */
export async function readMail(raw: Buffer): Promise<Mail | undefined> {
  try {
    const parsed = await takeApart(raw, options);
    const header = readFields(parsed.headerLines.map(({ line }) => line).join('\n'));
    const part = (types: string[]) =>
      parsed.attachments
        // a report speaks in its own parts, not in those of something that it carries
        .find(({ contentType, partId }) => types.includes(contentType) && /^\d+$/.test(partId ?? ''))
        ?.content.subarray(0, mostLookedAt)
        .toString('utf8');
    const status = part(statusTypes);
    const feedback = part(['message/feedback-report']);
    const returned = part(returnedTypes);
    return {
      header,
      subject: parsed.subject ?? '',
      from: parsed.from?.value[0]?.address?.toLowerCase() ?? '',
      text: (parsed.text ?? '').slice(0, mostLookedAt),
      reportType: reportTypeOf(parsed.headers.get('content-type')),
      deliveryStatus: status === undefined ? undefined : readGroups(status),
      feedback: feedback === undefined ? undefined : readFields(feedback),
      returned: returned === undefined ? undefined : readHeader(returned),
    };
  } catch {
    return undefined; // mailparser throws on what it cannot take apart
  }
}

function reportTypeOf(contentType: unknown): string | undefined {
  const { value, params } = (contentType ?? {}) as { value?: string; params?: Record<string, string> };
  if (value?.toLowerCase() !== 'multipart/report') return undefined;
  return params?.['report-type']?.toLowerCase() ?? '';
}

/** What two copies of one mail have in common, whichever way each came: its Message-ID and its body. */
export function digestOf(raw: Buffer): Buffer {
  const end = /\r?\n\r?\n/.exec(raw.toString('latin1', 0, mostLookedAt));
  if (!end) return sha256(raw);
  const id = field(readFields(raw.toString('latin1', 0, end.index)), 'message-id') ?? '';
  return sha256(
    Buffer.concat([Buffer.from(`${id}\n`, 'latin1'), plainLines(raw.subarray(end.index + end[0].length))]),
  );
}

const [lf, cr] = [0x0a, 0x0d];
const blanks = new Set([lf, 0x20, 0x09]);

/** The same text with every line break as LF, and none at its end: mail systems change both on the way. */
function plainLines(text: Buffer): Buffer {
  const plain = Buffer.alloc(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] as number;
    if (byte === lf && text[at - 1] === cr) continue;
    plain[length] = byte === cr ? lf : byte;
    length += 1;
  }
  while (length > 0 && blanks.has(plain[length - 1] as number)) length -= 1;
  return plain.subarray(0, length);
}
