import type { Campaign, CampaignBrand, Wording } from '../../src/campaigns/campaign.ts';
import { readWording } from '../../src/campaigns/campaign.ts';
import {
  blankTyped,
  checkSubmission,
  type Problem,
  type Submission,
  type Typed,
} from '../../src/letters/submission.ts';
import { createVault, type Vault } from '../../src/people/vault.ts';
import { plainMasterKeys } from './keys.ts';

/** A campaign of two brands, with wordings in English and Khmer that have one reason in common. */
const campaign: Campaign = {
  id: 7,
  slug: 'a-campaign',
  state: 'open',
  open: true,
  soon: false,
  mailDomain: 'outspoken.example',
  texts: {},
};
const brands: CampaignBrand[] = [
  { id: 11, slug: 'red', name: 'Red', lists: ['named'] },
  { id: 12, slug: 'blue', name: 'Blue', lists: ['named'] },
];
const wordings: Wording[] = [wording(1, 'en', ['pay', 'voice']), wording(2, 'km', ['voice'])];

function wording(id: number, language: string, reasons: string[]): Wording {
  return readWording({
    id,
    language,
    version: 1,
    sender: 'Somebody via Outspoken',
    subject: '{{brand}}',
    body: '{{reasons}}',
    passages: { reasons: reasons.map((key) => ({ key, label: key, text: key })), lists: {} },
  });
}

const vault = createVault(plainMasterKeys(1));

/** A form that is right in every field; each test changes what it is about. */
export function typed(changes: Partial<Typed> = {}): Typed {
  return {
    ...blankTyped('0123456789abcdefghijkl', 'en'),
    brand: ['red'],
    email: 'sok@mail.example',
    ...changes,
  };
}

/** What the form that was changed so would be. */
export function check(changes: Partial<Typed>, key: Vault = vault) {
  return checkSubmission(typed(changes), { vault: key, campaign, brands, wordings });
}

export function problemsOf(changes: Partial<Typed>): Problem[] {
  const checked = check(changes);
  return checked.ok ? [] : checked.problems;
}

/** @throws Error when something is to be mended */
export function accepted(changes: Partial<Typed>, key: Vault = vault): Submission {
  const checked = check(changes, key);
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join(', '));
  return checked.submission;
}
