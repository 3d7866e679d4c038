import { type Database, type Queryable, statement } from '../db/database.ts';
import { type Campaign, type CampaignBrand, type CampaignState, textsByLanguageSchema } from './campaign.ts';

type CampaignRow = {
  id: number;
  slug: string;
  state: CampaignState;
  open: boolean;
  soon: boolean;
  mail_domain: string | null;
  texts: unknown;
};

/** Letters may be written and confirmed: SQL on a row of `campaign`. */
export const isOpen = `(campaign.state = 'open' and coalesce(campaign.opens_at <= now(), true)
  and coalesce(campaign.closes_at > now(), true))`;

const campaignColumns = `id, slug, state, mail_domain, texts, ${isOpen} as open,
  state = 'open' and coalesce(opens_at > now(), false) as soon`;

const all = statement<CampaignRow>(
  `select ${campaignColumns} from campaign where state <> 'draft' order by id desc`,
);

const bySlug = statement<CampaignRow>(
  `select ${campaignColumns} from campaign where slug = $1 and state <> 'draft'`,
);

const byId = statement<CampaignRow>(`select ${campaignColumns} from campaign where id = $1`);

const brands = statement<CampaignBrand>(`
  select brand.id, brand.slug, brand.name, lists
  from campaign_brand join brand on brand.id = brand_id
  where campaign_id = $1
  order by position`);

const accepted = statement<{ campaign_id: number; n: number }>(`
  select campaign_id, count(*)::int as n from letter where state in ('accepted', 'delivered') group by campaign_id`);

/** Campaigns that the public may see, newest first. `mailDomain` is the instance's own, for those without. */
export async function listCampaigns(db: Queryable, mailDomain: string): Promise<Campaign[]> {
  return (await db.rows(all)).map((row) => readCampaign(row, mailDomain));
}

export async function findCampaign(
  db: Queryable,
  slug: string,
  mailDomain: string,
): Promise<Campaign | undefined> {
  const row = await db.row(bySlug, [slug]);
  return row && readCampaign(row, mailDomain);
}

/** @throws Error when there is none: advocates and letters refer to campaigns that exist */
export async function findCampaignById(db: Queryable, id: number, mailDomain: string): Promise<Campaign> {
  const row = await db.row(byId, [id]);
  if (!row) throw new Error(`campaign ${id} does not exist`);
  return readCampaign(row, mailDomain);
}

export async function brandsOf(db: Queryable, campaignId: number): Promise<CampaignBrand[]> {
  return db.rows(brands, [campaignId]);
}

/** How many letters were accepted, by campaign; one with none is missing. Reads all letters that there are: ask rarely. */
export async function countAccepted(db: Database): Promise<Map<number, number>> {
  const rows = await db.atLeisure((transaction) => transaction.rows(accepted));
  return new Map(rows.map(({ campaign_id, n }) => [campaign_id, n]));
}

function readCampaign(row: CampaignRow, mailDomain: string): Campaign {
  return {
    id: row.id,
    slug: row.slug,
    state: row.state,
    open: row.open,
    soon: row.soon,
    mailDomain: row.mail_domain ?? mailDomain,
    texts: textsByLanguageSchema.parse(row.texts),
  };
}
