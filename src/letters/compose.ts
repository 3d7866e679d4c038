import type { CampaignBrand, Wording } from '../campaigns/campaign.ts';
import type { Mailbox } from '../mail/message.ts';
import type { Said } from '../people/advocate.ts';
import { replyAlias, senderAddress } from './alias.ts';

/** What a letter consists of before it is composed. */
export type LetterParts = {
  wording: Wording;
  brand: Pick<CampaignBrand, 'name' | 'lists'>;
  said: Said;
  handle: string;
  /** The campaign's mail domain. */
  domain: string;
};

/** A letter as its reader will see it. */
export type ComposedLetter = {
  from: Mailbox;
  replyTo: string;
  subject: string;
  text: string;
  language: string;
};

/**
 * Composes one letter: what the preview shows, what is sent, and what the receipt's copy holds. One function, so
 * that they cannot differ.
 */
export function composeLetter({ wording, brand, said, handle, domain }: LetterParts): ComposedLetter {
  const { sender, subject, text } = wording.render({
    brand: brand.name,
    list: brand.lists[0],
    reasons: said.reasons,
    ownWords: said.ownWords,
    name: said.name,
    description: said.description,
    country: said.country && countryName(said.country, wording.language),
  });
  return {
    from: { name: sender, address: senderAddress(domain) },
    replyTo: replyAlias(handle, domain),
    subject,
    text,
    language: wording.language,
  };
}

const namesByLanguage = new Map<string, Intl.DisplayNames>();

/** A country's name in a language (Unicode CLDR, through Intl). */
export function countryName(code: string, language: string): string {
  let names = namesByLanguage.get(language);
  if (!names) {
    names = new Intl.DisplayNames([language, 'en'], { type: 'region' });
    namesByLanguage.set(language, names);
  }
  return names.of(code) ?? code;
}
