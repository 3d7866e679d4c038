import type { ParsedMail } from 'mailparser';
import { takeApart } from './take-apart.ts';

/** HTML longer than this, without its pictures, is not read: no person wrote it. */
export const longestHtml = 1024 * 1024;

/**
 * The words of a mail: its plain text, or what its HTML says where there is none that says anything. mailparser makes
 * text of HTML only if it is the whole mail; beside an attachment or a picture it does not, nor beside an empty text,
 * which some programs send along.
 *
 * @returns `whole`: nothing is missing because it could not be read
 */
export async function wordsOf(parsed: ParsedMail): Promise<{ words: string; whole: boolean }> {
  const plain = withoutDigits(parsed.text ?? '');
  const isUnread = parsed.textConversionError !== undefined;
  const wasMade = plain.trim() !== '' || isHtml(parsed);
  if (!parsed.html || (wasMade && !isUnread)) return { words: plain, whole: !isUnread };
  const html = await takeApart(asMail(withoutPictures(parsed.html)), {
    skipTextToHtml: true,
    maxHtmlLengthToParse: longestHtml,
  });
  const all = [plain, html.text ?? ''].filter((words) => words.trim() !== '');
  return { words: all.join('\n\n'), whole: html.textConversionError === undefined };
}

/** Whether HTML is the whole mail. */
function isHtml({ headers }: ParsedMail): boolean {
  const type = headers.get('content-type') as { value?: string } | undefined;
  return type?.value?.toLowerCase() === 'text/html';
}

/** A picture that is written out in digits would be longer than all words. */
function withoutDigits(text: string): string {
  return text.replace(/\[?data:[a-z]+\/[a-z0-9.+-]+;base64,[a-z0-9+/=\r\n]*\]?/gi, '');
}

/** Nor is the name of a picture a word. */
function withoutPictures(html: string): string {
  return withoutDigits(html).replace(/\bsrc\s*=\s*(["']?)(?:cid|https?):[^"'\s<>]*/gi, 'src=$1');
}

function asMail(html: string): Buffer {
  const head =
    'MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64';
  return Buffer.from(`${head}\r\n\r\n${Buffer.from(html).toString('base64')}\r\n`, 'latin1');
}
