import type { Wordings } from '../campaigns/wordings.ts';
import { type Prepared, prepareMessage, stampMessage } from '../mail/message.ts';
import { openSaid } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import { handleOf, replyAlias, returnPath } from './alias.ts';
import type { BundleRow, Claimed } from './bundle-store.ts';
import { composeLetter } from './compose.ts';

type Parts = { vault: Vault; wordings: Wordings; mailDomain: string };

/**
 * Writes out the letters of one bundle: the bytes of each, and its envelope sender. Letters that say nothing
 * personal are the same to the word but for their stamp, and encoding is dear, so their text is kept for the
 * others; what somebody said about themselves is never kept.
 */
export function createWriter({ vault, wordings, mailDomain }: Parts, bundle: BundleRow) {
  const domain = bundle.mail_domain ?? mailDomain;
  const brand = { name: bundle.brand, lists: bundle.lists };
  const to = { name: bundle.brand, address: bundle.address };
  const shared = new Map<string, Prepared>();

  return async function writeOut(letter: Claimed): Promise<{ message: Buffer; from: string }> {
    const handle = handleOf(letter.message_id);
    const said = openSaid(vault, letter);
    const impersonal = !said.name && !said.description && !said.ownWords;
    const kind = `${letter.wording_id} ${said.reasons.join(' ')}`;
    let prepared = impersonal ? shared.get(kind) : undefined;
    if (!prepared) {
      const wording = await wordings.byId(letter.wording_id);
      prepared = prepareMessage({ ...composeLetter({ wording, brand, said, handle, domain }), to });
      if (impersonal) shared.set(kind, prepared);
    }
    const date = new Date();
    const message = stampMessage(prepared, {
      messageId: letter.message_id,
      date,
      replyTo: replyAlias(handle, domain),
    });
    return { message, from: returnPath(vault, handle, domain, date) };
  };
}
