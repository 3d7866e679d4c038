import type { Attachment } from 'mailparser';
import { sortAttachments } from '../replies/attachments.ts';
import { plainLine, plainText } from '../replies/plain-text.ts';
import { type Cargo, type Content, caps } from '../replies/reply.ts';
import { takeApart } from './take-apart.ts';
import { longestHtml, wordsOf } from './words.ts';

const options = {
  ignoreEmbedded: true, // a mail inside is listed, and not taken apart
  skipTextToHtml: true,
  skipImageLinks: true,
  skipTextLinks: true,
  checksumAlgo: false,
  maxHtmlLengthToParse: longestHtml,
} as const;

/** What somebody wrote, as it is kept: plain text, which is made from the HTML where there is nothing else. */
export type Written = { content: Content; cargo: Cargo[] };

/** Reads a mail for the person that it is meant for; undefined when it cannot be read. */
export async function readReply(raw: Buffer): Promise<Written | undefined> {
  try {
    const parsed = await takeApart(raw, options);
    const from = parsed.from?.value[0];
    const { words: text, whole: isWhole } = await wordsOf(parsed);
    const attached = parsed.attachments
      .filter((one) => !isDecoration(one) || text.trim() === '')
      .map(({ filename, content }) => ({ name: filename ?? '', bytes: content }));
    const { listed, cargo } = sortAttachments(attached);
    const whole = plainText(text.slice(0, 4 * caps.text));
    const isLong = whole.length > caps.text || text.length > 4 * caps.text;
    return {
      content: {
        from: {
          name: plainLine(from?.name ?? '', 120),
          address: plainLine(from?.address?.toLowerCase() ?? '', 254),
        },
        subject: plainLine(parsed.subject ?? '', 200),
        text: whole.slice(0, caps.text).toWellFormed(),
        cut: isLong || !isWhole || listed.length < attached.length,
        attachments: listed,
        messageId: bareMessageId(parsed.messageId),
      },
      cargo,
    };
  } catch {
    return undefined; // mailparser throws on what it cannot take apart
  }
}

/** A picture within HTML, a logo for the most part: what it stood between is kept as words. */
function isDecoration({ related, contentType, contentDisposition }: Attachment): boolean {
  return related === true && contentType.startsWith('image/') && contentDisposition !== 'attachment';
}

/** A Message-ID that can stand in a header of ours (RFC 5322 section 3.6.4); others are left out of the thread. */
function bareMessageId(given: string | undefined): string | undefined {
  return /^<([\x21-\x3b\x3d\x3f-\x7e]{1,180}@[\x21-\x3b\x3d\x3f-\x7e]{1,180})>$/.exec(
    given?.trim() ?? '',
  )?.[1];
}
