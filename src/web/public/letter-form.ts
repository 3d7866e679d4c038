import {
  type Campaign,
  type CampaignBrand,
  type CampaignTexts,
  textsIn,
  type Wording,
} from '../../campaigns/campaign.ts';
import { countryName } from '../../letters/compose.ts';
import { limits } from '../../letters/free-text.ts';
import { personalDays } from '../../letters/retention.ts';
import { countryCodes, everyBrand, type Field, type Problem, type Typed } from '../../letters/submission.ts';
import type { Locale } from '../../locale/locale.ts';
import { identities } from '../../people/advocate.ts';

type Parts = {
  locale: Locale;
  campaign: Campaign;
  brands: CampaignBrand[];
  wordings: Wording[];
  typed: Typed;
  problems?: Problem[];
  /** Where the sources stand; unset: on the page that the form is part of. */
  sourcesAt?: string;
};

/** Which element an entry of the error summary leads to. */
const anchors: Partial<Record<Field, string>> = {
  brand: 'brand-all',
  reason: 'reason-0',
  identity: 'identity-counted',
  submission: 'send',
};

/** Everything the form's template shows: the questions in their order, what was typed, what is to be mended. */
export function letterForm({
  locale,
  campaign,
  brands,
  wordings,
  typed,
  problems = [],
  sourcesAt = '',
}: Parts) {
  const texts = textsIn(campaign, [locale.language]);
  const errors: Partial<Record<Field, string>> = {};
  for (const { field, message, values } of problems) errors[field] ??= locale.text(message, values);
  const onlyLanguage = wordings.length === 1 ? wordings[0]?.language : undefined;
  return {
    slug: campaign.slug,
    sourcesAt,
    textLanguage: texts.textLanguage,
    typed: { ...typed, language: onlyLanguage ?? typed.language },
    errors: allFields(errors),
    summary: problems.map(({ field, message, values }) => ({
      anchor: onlyLanguage && field === 'language' ? 'send' : (anchors[field] ?? field),
      text: locale.text(message, values),
    })),
    brandCount: brands.length,
    allBrands: typed.brand.includes(everyBrand),
    lists: brandLists(texts, brands, typed, locale),
    ...reasons(wordings, typed, locale),
    languages: ownFirst(wordings, locale).map(({ language }) => ({
      language,
      name: capitalised(languageName(language, locale.language), locale.language),
      checked: language === typed.language,
    })),
    oneLanguage: onlyLanguage !== undefined,
    identities: identities.toReversed().map((identity) => ({
      identity,
      checked: identity === typed.identity,
      label: `form.identity.${identity}`,
      hint: `form.identity.${identity}Hint`,
    })),
    countries: countryCodes
      .map((code) => ({ code, name: countryName(code, locale.language), selected: code === typed.country }))
      .sort((a, b) => a.name.localeCompare(b.name, locale.language)),
    limits,
    personalDays,
  };
}

/** Every field has an entry, since templates refuse to name what is not there. */
function allFields(errors: Partial<Record<Field, string>>): Record<Field, string> {
  return {
    submission: '',
    brand: '',
    identity: '',
    name: '',
    description: '',
    country: '',
    email: '',
    reason: '',
    words: '',
    language: '',
    ...errors,
  };
}

/** Each list with the brands it speaks for; a brand of several lists can be picked once, in its first. */
function brandLists(texts: CampaignTexts, brands: CampaignBrand[], typed: Typed, locale: Locale) {
  return texts.lists.map(({ key, ...list }) => {
    const elsewhere = brands.filter((brand) => brand.lists.includes(key) && brand.lists[0] !== key);
    return {
      key,
      heading: list.heading,
      claim: list.claim,
      ask: list.ask,
      source: sourceOf(texts, list.source),
      brands: brands
        .filter((brand) => brand.lists[0] === key)
        .map(({ slug, name }) => ({ slug, name, checked: typed.brand.includes(slug) })),
      also: elsewhere.length > 0 ? locale.list(elsewhere.map(({ name }) => name)) : '',
    };
  });
}

export function sourceOf(texts: CampaignTexts, key: string) {
  const source = texts.sources.find((one) => one.key === key);
  if (!source) throw new Error(`there is no source ${key}`);
  return { url: '', ...source };
}

/** Labels in the page's language where there is a wording in it; the letter has its own. */
function reasons(wordings: Wording[], typed: Typed, locale: Locale) {
  const shown = [locale.language, 'en']
    .map((language) => wordings.find((wording) => wording.language === language))
    .find((wording) => wording !== undefined);
  const { passages, language } = shown ?? (wordings[0] as Wording);
  return {
    reasonLanguage: language,
    reasons: passages.reasons.map(({ key, label, text }, index) => ({
      index,
      key,
      label,
      text,
      checked: typed.reason.includes(key),
    })),
  };
}

/** The page's own language before the others. */
function ownFirst(wordings: Wording[], { language }: Locale): Wording[] {
  return wordings.toSorted((a, b) => Number(b.language === language) - Number(a.language === language));
}

function languageName(language: string, inLanguage: string): string {
  return new Intl.DisplayNames([inLanguage], { type: 'language' }).of(language) ?? language;
}

function capitalised(text: string, language: string): string {
  return text.charAt(0).toLocaleUpperCase(language) + text.slice(1);
}
