import { type Queryable, statement } from '../db/database.ts';
import { readWording, type Wording, type WordingRow } from './campaign.ts';

const newestWordings = statement<WordingRow>(`
  select distinct on (language) id, language, version, sender, subject, body, passages
  from wording where campaign_id = $1
  order by language, version desc`);

const wordingById = statement<WordingRow>(`
  select id, language, version, sender, subject, body, passages from wording where id = $1`);

export type Wordings = {
  /** The newest wording in each of the campaign's languages. */
  newest(campaignId: number): Promise<Wording[]>;
  /** @throws Error when there is none: letters refer to wordings that exist */
  byId(id: number): Promise<Wording>;
};

/** Wordings are immutable, so each is compiled once and kept. */
export function openWordings(db: Queryable): Wordings {
  const compiled = new Map<number, Wording>();
  const remember = (row: WordingRow): Wording => {
    const wording = compiled.get(row.id) ?? readWording(row);
    compiled.set(row.id, wording);
    return wording;
  };
  return {
    newest: async (campaignId) => (await db.rows(newestWordings, [campaignId])).map(remember),
    async byId(id) {
      const known = compiled.get(id);
      if (known) return known;
      const row = await db.row(wordingById, [id]);
      if (!row) throw new Error(`wording ${id} does not exist`);
      return remember(row);
    },
  };
}
