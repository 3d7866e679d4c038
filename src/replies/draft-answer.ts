import { type Database, statement } from '../db/database.ts';
import { hides } from '../people/deceptive.ts';
import { mintHandle } from '../people/token.ts';
import { keyedHash, type Vault } from '../people/vault.ts';
import { secretsOf } from './compose-answer.ts';
import {
  type Answer,
  type Answered,
  addDraft,
  approveDraft,
  dropDraft,
  findAnswered,
  findAnsweredOnPage,
  findAnswerOnPage,
  rewriteDraft,
} from './draft-store.ts';
import { maskSecrets, withoutQuotes } from './own-words.ts';
import { plainText } from './plain-text.ts';
import { type Content, caps, openContent, sealContent } from './reply.ts';

type Parts = { database: Database; vault: Vault; mailDomain: string };

const tellOf = statement(`
  insert into notice (advocate_id, kind)
  select $1, 'answer' where not exists (
    select from notice where advocate_id = $1 and kind = 'answer' and state in ('waiting', 'sending')
  )`);

type Mailed = { digest: Buffer; text: string; from: string };

/**
 * An answer that came by mail becomes a draft, of which its writer is told: a mail program adds what the brand must
 * not see, and whoever found out the address could write. So nothing leaves before somebody has looked at it on
 * the private page. Coming twice, it is one.
 */
export async function draftByMail(
  parts: Parts,
  handle: string,
  { digest, text, from }: Mailed,
): Promise<{ kind: 'drafted' | 'known' | 'gone' | 'full' }> {
  const { database, vault } = parts;
  return database.transaction(async (transaction) => {
    const answered = await findAnswered(transaction, handle);
    if (!answered) return { kind: 'gone' };
    const secrets = secretsOf(parts, answered);
    const words = maskSecrets(withoutQuotes(text), secrets);
    const draft = newDraft(vault, answered, digest, {
      ...blank,
      text: words.slice(0, caps.answer).toWellFormed(),
      cut: words.length > caps.answer,
      byMail: true,
      fromElsewhere: maskSecrets(from, secrets) === from,
    });
    const added = await addDraft(transaction, answered, draft, caps.drafts);
    if (added.kind === 'drafted') await transaction.rows(tellOf, [answered.advocate_id]);
    return { kind: added.kind };
  });
}

const blank: Content = {
  from: { name: '', address: '' },
  subject: '',
  text: '',
  cut: false,
  attachments: [],
};

function newDraft(vault: Vault, owner: Answered, digest: Buffer, content: Content) {
  const handle = mintHandle();
  return { handle, digest, content: sealContent(vault, owner, handle, content) };
}

/** What is to be mended in an answer; the last part of its sentence's key. */
export type Wrong = 'missing' | 'long' | 'characters' | 'address';

export type Drafted =
  | { kind: 'drafted'; handle: string }
  | { kind: 'wrong'; wrong: Wrong }
  | { kind: 'full' }
  | { kind: 'gone' };

/** An answer that is written on the private page. The same form sent twice is one draft. */
export async function draftOnPage(
  parts: Parts,
  token: string,
  handle: string,
  { submission, text }: { submission: string; text: string },
): Promise<Drafted> {
  const { database, vault } = parts;
  return database.transaction(async (transaction) => {
    const answered = await findAnsweredOnPage(transaction, token, handle);
    if (!answered) return { kind: 'gone' };
    const checked = check(parts, answered, text);
    if (checked.kind === 'wrong') return checked;
    const digest = keyedHash(vault.keyFor('submission'), `answer ${submission} ${checked.text}`);
    const draft = newDraft(vault, answered, digest, { ...blank, text: checked.text });
    const added = await addDraft(transaction, answered, draft, caps.drafts);
    return 'handle' in added ? { kind: 'drafted', handle: added.handle } : added;
  });
}

/** Other words for a draft. */
export async function changeDraft(
  parts: Parts,
  token: string,
  handle: string,
  text: string,
): Promise<Drafted> {
  const { database, vault } = parts;
  const answer = await findAnswerOnPage(database, token, handle);
  if (!answer) return { kind: 'gone' };
  const checked = check(parts, answer, text);
  if (checked.kind === 'wrong') return checked;
  await rewriteDraft(
    database,
    answer.draft,
    sealContent(vault, answer, handle, { ...blank, text: checked.text }),
  );
  return { kind: 'drafted', handle };
}

function check(
  parts: Parts,
  answered: Answered,
  typed: string,
): { kind: 'right'; text: string } | { kind: 'wrong'; wrong: Wrong } {
  if (hides(typed)) return { kind: 'wrong', wrong: 'characters' };
  const text = plainText(typed.normalize('NFC'));
  if (text === '') return { kind: 'wrong', wrong: 'missing' };
  if (text.length > caps.answer) return { kind: 'wrong', wrong: 'long' };
  const leads = maskSecrets(text, secretsOf(parts, answered)) !== text;
  return leads ? { kind: 'wrong', wrong: 'address' } : { kind: 'right', text };
}

/**
 * Lets an answer go, or go once more when nobody knows whether it arrived; whoever presses twice sends it once.
 *
 * @returns `enough`: as many as may have left today
 */
export async function sendDraft(
  { database, vault }: Pick<Parts, 'database' | 'vault'>,
  token: string,
  handle: string,
): Promise<'sent' | 'enough' | 'empty' | 'gone'> {
  return database.transaction(async (transaction) => {
    const answer = await findAnswerOnPage(transaction, token, handle);
    if (!answer) return 'gone';
    if (!sendable(answer)) return 'sent';
    if (openContent(vault, answer, handle, answer.draft_content).text === '') return 'empty';
    return approveDraft(transaction, answer, caps.answersPerDay);
  });
}

export const sendable = ({ draft_state }: Pick<Answer, 'draft_state'>): boolean =>
  draft_state === 'draft' || draft_state === 'unknown';

/** Throws a draft away; what has left stays. */
export async function throwAway(
  { database }: Pick<Parts, 'database'>,
  token: string,
  handle: string,
): Promise<boolean> {
  const answer = await findAnswerOnPage(database, token, handle);
  if (answer) await dropDraft(database, answer);
  return answer !== undefined;
}
