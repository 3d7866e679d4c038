import type { Wordings } from '../campaigns/wordings.ts';
import { handleOf } from '../letters/alias.ts';
import { composeLetter } from '../letters/compose.ts';
import type { Mailbox } from '../mail/message.ts';
import { openPerson, openSaid } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import type { Answer, Answered } from './draft-store.ts';
import { maskSecrets, type Secrets } from './own-words.ts';
import { plainLine } from './plain-text.ts';
import { openContent } from './reply.ts';

type Parts = { vault: Vault; wordings: Wordings; mailDomain: string };

/** An answer as the brand will see it. */
export type ComposedAnswer = {
  from: Mailbox;
  replyTo: string;
  to: Mailbox | undefined;
  subject: string;
  text: string;
  language: string;
  /** Whether it carries its writer's name, as the letter did. */
  named: boolean;
  /** Message-IDs of what came before, without angle brackets; the last one is what it answers. */
  thread: string[];
};

export function secretsOf({ vault, mailDomain }: Omit<Parts, 'wordings'>, answered: Answered): Secrets {
  const { address, tokens } = openPerson(vault, answered);
  return {
    address,
    tokens: Object.values(tokens),
    domain: answered.mail_domain ?? mailDomain,
  };
}

/**
 * Composes an answer: what is shown before it goes, and what goes. It says of its writer what the letter said, and
 * goes to the contact that the letter went to, whatever the brand's mail named: its sender can be forged.
 */
export async function composeAnswer(parts: Parts, answer: Answer): Promise<ComposedAnswer> {
  const { vault, wordings, mailDomain } = parts;
  const domain = answer.mail_domain ?? mailDomain;
  const said = openSaid(vault, answer);
  const letter = composeLetter({
    wording: await wordings.byId(answer.wording_id),
    brand: { name: answer.brand, lists: answer.lists },
    said,
    handle: handleOf(answer.message_id),
    domain,
  });
  const secrets = secretsOf(parts, answer);
  const { subject, messageId } = openContent(vault, answer, answer.handle, answer.content);
  const { text } = openContent(vault, answer, answer.draft_handle, answer.draft_content);
  const about = subject.replace(/^(?:\s*(?:re|aw|sv|antw|ref)\s*:)+\s*/i, '') || letter.subject;
  return {
    from: letter.from,
    replyTo: letter.replyTo,
    to: answer.to === null ? undefined : { name: answer.brand, address: answer.to },
    subject: plainLine(maskSecrets(`Re: ${about}`, secrets), 200),
    text: maskSecrets(text, secrets),
    language: letter.language,
    named: said.name !== undefined,
    thread: [answer.message_id, ...(messageId ? [messageId] : [])],
  };
}
