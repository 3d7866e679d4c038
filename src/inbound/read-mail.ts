import { simpleParser } from 'mailparser';
import { sha256 } from '../people/vault.ts';
import { type Fields, field, readFields, readGroups } from './fields.ts';

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
  maxHeadSize: 128 * 1024,
  maxChildNodes: 50,
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
    const parsed = await simpleParser(raw, options);
    const header = readFields(parsed.headerLines.map(({ line }) => line).join('\n'));
    const part = (types: string[]) =>
      parsed.attachments
        // a report speaks in its own parts, not in those of something that it carries
        .find(({ contentType, partId }) => types.includes(contentType) && /^\d+$/.test(partId ?? ''))
        ?.content.toString('utf8');
    const status = part(statusTypes);
    const feedback = part(['message/feedback-report']);
    const returned = part(returnedTypes);
    return {
      header,
      subject: parsed.subject ?? '',
      from: parsed.from?.value[0]?.address?.toLowerCase() ?? '',
      text: parsed.text ?? '',
      reportType: reportTypeOf(parsed.headers.get('content-type')),
      deliveryStatus: status === undefined ? undefined : readGroups(status),
      feedback: feedback === undefined ? undefined : readFields(feedback),
      returned: returned === undefined ? undefined : readFields(headOf(returned)),
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

function headOf(message: string): string {
  return message.replace(/\r\n?/g, '\n').split('\n\n')[0] ?? '';
}

/** What two copies of one mail have in common, whichever way each came: its Message-ID and its body. */
export function digestOf(raw: Buffer): Buffer {
  const [, head, body] = /^([\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(raw.toString('latin1')) ?? [];
  if (head === undefined || body === undefined) return sha256(raw);
  const id = field(readFields(head), 'message-id') ?? '';
  return sha256(Buffer.from(`${id}\n${body.replace(/\r\n?/g, '\n').trimEnd()}`, 'latin1'));
}
