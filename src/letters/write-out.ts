import type { Wordings } from '../campaigns/wordings.ts';
import { type Prepared, prepareMessage, stampMessage } from '../mail/message.ts';
import { openSaid, type Said } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import { handleOf, replyAlias, returnPath } from './alias.ts';
import type { BundleRow, Claimed } from './bundle-store.ts';
import { composeLetter } from './compose.ts';

type Parts = { vault: Vault; wordings: Wordings; mailDomain: string };

/** How many texts that say nothing personal are kept: those of a campaign, with the choices that many make. */
const textsKept = 400;

/** For how long what a person said stays open for their other letters, which go out together; in milliseconds. */
const staysOpen = 1000;

export type WriteOut = (bundle: BundleRow, letter: Claimed) => Promise<{ message: string; from: string }>;

/**
 * Writes out letters: the bytes of each, as ASCII, and its envelope sender. Letters that say nothing personal are the same to
 * the word but for their stamp, and encoding is dear, so their text is kept for the others; what somebody said about
 * themselves is never kept in a text, and is open for a moment only.
 */
export function createWriter({ vault, wordings, mailDomain }: Parts): WriteOut {
  const texts = new Map<string, Promise<Prepared>>();
  const opened = new Map<string, Said>();

  function saidIn(letter: Claimed): Said {
    const person = letter.submission.toString('latin1');
    let said = opened.get(person);
    if (!said) {
      said = openSaid(vault, letter);
      if (opened.size === 0) setTimeout(() => opened.clear(), staysOpen).unref();
      opened.set(person, said);
    }
    return said;
  }

  async function prepare(bundle: BundleRow, letter: Claimed, said: Said, domain: string): Promise<Prepared> {
    const wording = await wordings.byId(letter.wording_id);
    const brand = { name: bundle.brand, lists: bundle.lists };
    const handle = handleOf(letter.message_id);
    const to = { name: bundle.brand, address: bundle.address };
    return prepareMessage({ ...composeLetter({ wording, brand, said, handle, domain }), to });
  }

  function prepareImpersonal(bundle: BundleRow, letter: Claimed, said: Said, domain: string) {
    const { brand, lists, address } = bundle;
    const kind = JSON.stringify([letter.wording_id, brand, lists[0], address, domain, said.reasons]);
    let prepared = texts.get(kind);
    if (!prepared) {
      prepared = prepare(bundle, letter, said, domain);
      prepared.catch(() => texts.delete(kind)); // told to the letter; the next one tries again
      if (texts.size >= textsKept) texts.clear();
      texts.set(kind, prepared);
    }
    return prepared;
  }

  return async function writeOut(bundle, letter) {
    const domain = bundle.mail_domain ?? mailDomain;
    const handle = handleOf(letter.message_id);
    const said = saidIn(letter);
    const write = isImpersonal(said) ? prepareImpersonal : prepare;
    const date = new Date();
    const message = stampMessage(await write(bundle, letter, said, domain), {
      messageId: letter.message_id,
      date,
      replyTo: replyAlias(handle, domain),
    });
    return { message, from: returnPath(vault, handle, domain, date) };
  };
}

/** Nothing but reasons to pick: whatever else a person can say, now or in a later version, is about them. */
function isImpersonal({ reasons: _, ...rest }: Said): boolean {
  return Object.values(rest).every((value) => value === undefined);
}
