import { iso31661 } from 'iso-3166';
import { z } from 'zod';
import type { Campaign, CampaignBrand, Wording } from '../campaigns/campaign.ts';
import { readAddress } from '../people/address.ts';
import { type Identity, identities, type Said } from '../people/advocate.ts';
import { keyedHash, type Vault } from '../people/vault.ts';
import { checkLine, checkWords, limits, withoutStop } from './free-text.ts';

/** What a person typed and picked, as the form sends it; every field may hold anything. */
export type Typed = {
  submission: string;
  brand: string[];
  identity: string;
  name: string;
  description: string;
  country: string;
  email: string;
  reason: string[];
  words: string;
  language: string;
};

export type Field = keyof Typed;

/** One thing to mend: the field it belongs to, the key of its sentence in the locale files, and its figures. */
export type Problem = { field: Field; message: string; values?: Record<string, string | number> };

/** A letter to several brands, checked, not yet stored. */
export type Submission = {
  /** Names this submission: the same form sent twice is the same; with other content it is another. */
  key: Buffer;
  campaign: Campaign;
  brands: CampaignBrand[];
  wording: Wording;
  identity: Identity;
  said: Said;
  address: string;
};

/** The value of the box that stands for every brand of the campaign. */
export const everyBrand = '*';

const countries = new Set(iso31661.filter(({ state }) => state === 'assigned').map(({ alpha2 }) => alpha2));

/** ISO 3166-1 alpha-2 codes that a person may pick. */
export const countryCodes: readonly string[] = [...countries].sort();

const shape = z.object({
  submission: z.string(),
  brand: z.array(z.string()),
  identity: z.string(),
  name: z.string(),
  description: z.string(),
  country: z.string(),
  email: z.string(),
  reason: z.array(z.string()),
  words: z.string(),
  language: z.string(),
});

const list = (value: unknown) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/**
 * Reads a form body. Undefined when it is not what our form sends (a field twice, an object where text
 * belongs), which a browser cannot do.
 */
export function readTyped(body: unknown): Typed | undefined {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const read = shape.safeParse({
    submission: fields.submission ?? '',
    brand: list(fields.brand),
    identity: fields.identity ?? 'counted',
    name: fields.name ?? '',
    description: fields.description ?? '',
    country: fields.country ?? '',
    email: fields.email ?? '',
    reason: list(fields.reason),
    words: fields.words ?? '',
    language: fields.language ?? '',
  });
  return read.success ? read.data : undefined;
}

/** A form body as the first visit sees it. */
export function blankTyped(submission: string, language: string): Typed {
  return {
    submission,
    brand: [],
    identity: 'counted',
    name: '',
    description: '',
    country: '',
    email: '',
    reason: [],
    words: '',
    language,
  };
}

type Surroundings = { vault: Vault; campaign: Campaign; brands: CampaignBrand[]; wordings: Wording[] };
export type Checked = { ok: true; submission: Submission } | { ok: false; problems: Problem[] };

/** Checks what was typed against the campaign; all problems at once, in the order of the form. */
export function checkSubmission(typed: Typed, { vault, campaign, brands, wordings }: Surroundings): Checked {
  const problems: Problem[] = [];
  const problem = (field: Field, message: string, values?: Problem['values']) => {
    problems.push({ field, message, ...(values ? { values } : {}) });
    return undefined;
  };

  const all = typed.brand.includes(everyBrand);
  const picked = brands.filter((brand) => all || typed.brand.includes(brand.slug));
  const known = new Set([everyBrand, ...brands.map(({ slug }) => slug)]);
  if (typed.brand.length === 0) problem('brand', 'form.brand.none');
  else if (!typed.brand.every((slug) => known.has(slug))) problem('brand', 'form.brand.unknown');

  const wording = wordings.find(({ language }) => language === typed.language);
  if (!wording) problem('language', 'form.language.unknown');
  const reasonKeys = wording?.passages.reasons.map(({ key }) => key) ?? [];
  const reasons = reasonKeys.filter((key) => typed.reason.includes(key));
  if (wording && new Set(typed.reason).size !== reasons.length) problem('reason', 'form.reason.unknown');

  const identity =
    identities.find((known) => known === typed.identity) ?? problem('identity', 'form.identity.unknown');
  const said: Said = { reasons };
  if (identity === 'named') {
    said.name = checkLine(typed.name, limits.name, (message, values) =>
      problem('name', `form.name.${message}`, values),
    );
  }
  if (identity === 'described') {
    said.description = checkLine(withoutStop(typed.description), limits.description, (message, values) =>
      problem('description', `form.description.${message}`, values),
    );
  }
  if (identity !== 'counted' && typed.country !== '') {
    if (countries.has(typed.country)) said.country = typed.country;
    else problem('country', 'form.country.unknown');
  }

  const words = checkWords(typed.words, (message, values) =>
    problem('words', `form.words.${message}`, values),
  );
  if (words) said.ownWords = words;

  const address =
    typed.email.trim() === ''
      ? problem('email', 'form.email.missing')
      : (readAddress(typed.email) ?? problem('email', whyNoAddress(typed.email)));
  if (!/^[A-Za-z0-9_-]{22,64}$/.test(typed.submission)) problem('submission', 'form.submission.invalid');

  if (problems.length > 0 || !wording || !identity || !address)
    return { ok: false, problems: inFormOrder(problems) };
  const key = submissionKey(vault, typed.submission, [
    campaign.id,
    picked.map(({ id }) => id),
    wording.id,
    identity,
    said,
    address,
  ]);
  return { ok: true, submission: { key, campaign, brands: picked, wording, identity, said, address } };
}

function whyNoAddress(typed: string): string {
  const [local = '', ...rest] = typed.trim().split('@');
  const isOne = rest.length === 1 && !/\s/.test(local);
  return isOne && /[^\p{ASCII}]/u.test(local) ? 'form.email.letters' : 'form.email.invalid';
}

/** Names a submission by the form's hidden id and everything that it says. */
export function submissionKey(vault: Vault, id: string, content: unknown): Buffer {
  return keyedHash(vault.keyFor('submission'), `${id} ${JSON.stringify(content)}`);
}

const formOrder: Field[] = [
  'brand',
  'reason',
  'words',
  'language',
  'identity',
  'name',
  'description',
  'country',
  'email',
  'submission',
];

function inFormOrder(problems: Problem[]): Problem[] {
  return problems.toSorted((a, b) => formOrder.indexOf(a.field) - formOrder.indexOf(b.field));
}
