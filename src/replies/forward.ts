import { type Queryable, statement } from '../db/database.ts';
import { answerAlias, replyReturnPath } from '../letters/alias.ts';
import type { Locale, Locales } from '../locale/locale.ts';
import { encodeMessage } from '../mail/message.ts';
import { renderNotice } from '../notices/render.ts';
import { openPerson, type Sealed } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import { hopMarks } from './marks.ts';
import { dividingLine } from './own-words.ts';
import { type Content, type Listed, openCargo, openContent } from './reply.ts';

type Parts = { database: Queryable; vault: Vault; locales: Locales; mailDomain: string; publicUrl: string };

type Row = Sealed & {
  handle: string;
  content: Buffer;
  cargo: Buffer | null;
  brand: string;
  mail_domain: string | null;
  language: string;
  address: Buffer;
  tokens: Buffer;
};

const read = statement<Row>(`
  select handle, content, cargo, brand.name as brand, mail_domain, language, submission, data_key,
    advocate.key_version, address, tokens
  from reply
  join advocate on advocate.id = reply.advocate_id
  join letter on letter.id = letter_id
  join brand on brand.id = brand_id
  join campaign on campaign.id = letter.campaign_id
  where reply.id = $1`);

/**
 * What a brand wrote, as a mail to its advocate: a new message of ours, from an address of ours that also takes the
 * answer. The brand's name and address stand in its text, and none of its headers are in it. Undefined when the
 * advocate is gone.
 */
export async function writeForward({ database, vault, locales, mailDomain, publicUrl }: Parts, id: string) {
  const row = await database.row(read, [id]);
  if (!row) return undefined;
  const locale = locales.get(row.language);
  const domain = row.mail_domain ?? mailDomain;
  const content = openContent(vault, row, row.handle, row.content);
  const { address: to, tokens } = openPerson(vault, row);
  const date = new Date();
  const alias = answerAlias(vault, row.handle, domain);
  const message = encodeMessage({
    from: { name: locale.text('notice.reply.from', { brand: row.brand }), address: alias },
    replyTo: alias,
    to: { name: '', address: to },
    subject: locale.text('notice.reply.subject', { brand: row.brand }),
    text: await renderNotice('reply', locale, {
      dividingLine,
      brand: row.brand,
      link: `${publicUrl}/confirm/${tokens.confirm}`,
      sender: senderOf(content),
      subject: content.subject,
      text: content.text,
      cut: content.cut,
      passed: namesOf(
        content.attachments.filter(({ passed }) => passed),
        locale,
      ),
      held: namesOf(
        content.attachments.filter(({ passed }) => !passed),
        locale,
      ),
    }),
    language: locale.language,
    messageId: `${row.handle}@${domain}`,
    date,
    autoSubmitted: 'auto-generated',
    marks: hopMarks(domain),
    attachments: row.cargo ? openCargo(vault, row, row.handle, row.cargo) : [],
  });
  return { from: replyReturnPath(vault, row.handle, domain, date), to, message };
}

function senderOf({ from: { name, address } }: Content): string {
  return name && name !== address ? `${name} <${address}>` : address;
}

function namesOf(attachments: readonly Listed[], locale: Locale): string {
  return attachments.map(({ name, size }) => `${name} (${locale.size(size)})`).join('\n');
}
