import { z } from 'zod';
import { type CompiledWording, compileWording, type Passages, passagesSchema } from './wording.ts';

export type CampaignState = 'draft' | 'open' | 'paused' | 'closed';

const paragraphs = z.array(z.string().min(1)).min(1);

/** What a campaign's page says, in one language. */
const campaignTextsSchema = z.object({
  title: z.string().min(1),
  summary: z.string().min(1),
  story: z.array(z.object({ heading: z.string(), paragraphs, source: z.array(z.string()) })),
  ask: z.object({ intro: z.string(), points: paragraphs }),
  /** Sourced lists of brands: what exactly the source says of them, and what they are asked. */
  lists: z.array(
    z.object({
      key: z.string(),
      heading: z.string(),
      claim: z.string(),
      ask: z.string(),
      source: z.string(),
    }),
  ),
  sources: z.array(
    z.object({
      key: z.string(),
      title: z.string(),
      publisher: z.string(),
      date: z.string(),
      url: z.url({ protocol: /^https?$/ }).optional(),
    }),
  ),
});
export type CampaignTexts = z.infer<typeof campaignTextsSchema>;

export const textsByLanguageSchema = z.record(z.string(), campaignTextsSchema);

export type Campaign = {
  id: number;
  slug: string;
  state: CampaignState;
  /** Whether letters may be written now: open, and within its window. */
  open: boolean;
  /** Whether its window is still to come. */
  soon: boolean;
  mailDomain: string;
  texts: Record<string, CampaignTexts>;
};

/** A brand's place in a campaign. `lists` is never empty; its first key speaks in the letter. */
export type CampaignBrand = { id: number; slug: string; name: string; lists: [string, ...string[]] };

/** One immutable version of the campaign's letter in one language, ready to render. */
export type Wording = {
  id: number;
  language: string;
  version: number;
  passages: Passages;
  render: CompiledWording;
};

export type WordingRow = {
  id: number;
  language: string;
  version: number;
  sender: string;
  subject: string;
  body: string;
  passages: unknown;
};

/** @throws Error for a wording that does not compile: none is ever stored */
export function readWording(row: WordingRow): Wording {
  const passages = passagesSchema.parse(row.passages);
  const compiled = compileWording({ ...row, passages });
  if (!compiled.ok) throw new Error(`wording ${row.id} does not compile: ${compiled.problems.join('; ')}`);
  const { id, language, version } = row;
  return { id, language, version, passages, render: compiled.render };
}

/** The texts in the first of the wanted languages that the campaign has, and which language that is. */
export function textsIn(
  campaign: Campaign,
  languages: readonly string[],
): CampaignTexts & { textLanguage: string } {
  for (const textLanguage of [...languages, 'en', ...Object.keys(campaign.texts)]) {
    const texts = campaign.texts[textLanguage];
    if (texts) return { ...texts, textLanguage };
  }
  throw new Error(`campaign ${campaign.id} has no texts`);
}

/** Whether a piece of a URL can be a campaign's slug at all; the database has the same rule. */
export function looksLikeSlug(text: string): boolean {
  return text.length <= 60 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text);
}

/** What a visitor needs to know: whether letters can be written, will be again, or no more. */
export function statusOf({ open, soon, state }: Campaign): 'open' | 'soon' | 'paused' | 'closed' {
  if (open) return 'open';
  if (state === 'paused') return 'paused';
  return soon ? 'soon' : 'closed';
}
