import { type ParsedMail, simpleParser } from 'mailparser';
import { lettersOn, until } from './advocate.ts';
import { type Aliases, aliasesOf } from './came-back.ts';
import type { Instance } from './instance.ts';
import { untilAllEnded, writeMany } from './letters.ts';
import { bring } from './mail-client.ts';
import type { TestSmtp } from './smtp.ts';
import { type Page, unescapeHtml, type Visitor } from './visitor.ts';

export type Passed = { from: string; to: string; raw: string; mail: ParsedMail };

/** A person whose letter was accepted, their mailbox, and the brand that can answer. */
export type Correspondence = Aliases & {
  address: string;
  receipt: string;
  visitor: Visitor;
  page(): Promise<Page>;
  /** Waits until the replies stand so, in order, and reads them from the receipt. */
  replies(...states: string[]): Promise<ReplyOnPage[]>;
  /** Mail of the brand for the letter's address; the answers of our server. */
  brandWrites(mail?: Partial<BrandMail>): Promise<string[]>;
  /** What came into the person's mailbox, once there are so many. */
  forwards(count: number): Promise<Passed[]>;
  /** What came to the brand after the letter, once there are so many. */
  atBrand(count: number): Promise<Passed[]>;
  /** Mail of the person to an address. */
  advocateWrites(to: string, text: string, changes?: Partial<BrandMail>): Promise<string[]>;
};

export type BrandMail = {
  from: string;
  subject: string;
  text: string;
  headers: string[];
  id: string;
  raw: string;
};

let mails = 0;

export function mailOf({ from, subject, text, headers = [], id }: Partial<BrandMail>, to: string): string {
  mails += 1;
  return [
    `From: ${from ?? 'Human Rights Desk <human-rights@hm.example>'}`,
    `To: <${to}>`,
    `Subject: ${subject ?? 'Re: Please speak out'}`,
    `Message-ID: <${id ?? `m${mails}@mail.brand.example`}>`,
    'Date: Mon, 9 Nov 2026 15:40:00 +0000',
    ...headers,
    ...(headers.some((line) => /^content-type:/i.test(line))
      ? []
      : ['MIME-Version: 1.0', 'Content-Type: text/plain; charset=utf-8']),
    '',
    text ?? `We have written to the ministry today (${mails}).`,
    '',
  ].join('\r\n');
}

export const bare = (from: string) => /<([^>]*)>/.exec(from)?.[1] ?? from;

export async function correspond(instance: Instance, smtp: TestSmtp, brand = 'hm'): Promise<Correspondence> {
  const [writer] = await writeMany(instance, { people: 1, brands: [brand] });
  if (!writer) throw new Error('nobody wrote');
  const visitor = instance.visitor();
  const page = () => visitor.get(writer.receipt);
  await untilAllEnded(instance);
  const aliases = aliasesOf(instance, lettersOn(await page())[0]?.handle ?? '');
  const caught = async (choose: (message: TestSmtp['accepted'][number]) => boolean, count: number) => {
    await until(async () => smtp.accepted.filter(choose).length >= count, `${count} mails`, 60_000);
    return Promise.all(
      smtp.accepted.filter(choose).map(async ({ from, to, raw }) => ({
        from,
        to: to[0] ?? '',
        raw: raw.toString('latin1'),
        mail: await simpleParser(raw),
      })),
    );
  };
  return {
    ...aliases,
    address: writer.address,
    receipt: writer.receipt,
    visitor,
    page,
    replies: (...states) => untilReplies(instance, aliases.messageId, page, states),
    brandWrites: (mail = {}) =>
      bring(instance.inboundPort, {
        to: aliases.replyTo,
        from: bare(mail.from ?? 'human-rights@hm.example'),
        raw: mail.raw ?? mailOf(mail, aliases.replyTo),
      }),
    forwards: (count) => caught(({ to }) => to.includes(writer.address), count),
    atBrand: (count) =>
      caught(
        ({ raw, from }) =>
          from.startsWith('f.') && raw.toString('latin1').includes(`Reply-To: ${aliases.replyTo}`),
        count,
      ),
    advocateWrites: (to, text, changes = {}) =>
      bring(instance.inboundPort, {
        to,
        from: writer.address,
        raw:
          changes.raw ??
          mailOf(
            { from: `A Writer <${writer.address}>`, text, id: `own${text.length}@mail.example`, ...changes },
            to,
          ),
      }),
  };
}

export type ReplyOnPage = { handle: string; kind: string; state: string; words: string; link: string };

/** The replies that a receipt shows, in order. */
export function repliesOn(page: Page): ReplyOnPage[] {
  return page.html
    .split('<li class="reply ')
    .slice(1)
    .map((part) => {
      const item = part.split('</li>\n<li class="reply ')[0]?.split('</ol>\n<details class="steps')[0] ?? '';
      const read = (name: string) => new RegExp(`data-${name}="([^"]*)"`).exec(item)?.[1] ?? '';
      return {
        handle: read('reply'),
        kind: read('kind'),
        state: read('state'),
        words: unescapeHtml(item.replace(/<[^>]+>/g, ' ')).replace(/\s+/g, ' '),
        link: /<p class="actions"><a href="([^"]*)"/.exec(item)?.[1] ?? '',
      };
    });
}

/**
 * Waits until the letter's replies stand so, in order, and then looks at the receipt. (It is the table that is asked
 * again and again: pages are limited.)
 */
async function untilReplies(
  { query }: Instance,
  messageId: string,
  page: () => Promise<Page>,
  states: string[],
): Promise<ReplyOnPage[]> {
  const wanted = states.join(', ');
  let last = '';
  await until(
    async () => {
      const rows = await query<{ state: string }>(
        `select reply.state from reply join letter on letter.id = letter_id where message_id = $1
         order by reply.at, reply.id`,
        [messageId],
      );
      last = rows.map(({ state }) => state).join(', ');
      return last === wanted;
    },
    'replies',
    60_000,
  ).catch(() => {
    throw new Error(`waited in vain for replies that are ${wanted}; they are ${last}`);
  });
  const shown = repliesOn(await page());
  const onPage = shown.map(({ state }) => state).join(', ');
  if (onPage !== wanted) throw new Error(`the receipt shows ${onPage} instead of ${wanted}`);
  return shown;
}
