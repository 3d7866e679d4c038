import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { brandsOf, findCampaign } from '../src/campaigns/campaign-store.ts';
import { openWordings } from '../src/campaigns/wordings.ts';
import { readMasterKeys } from '../src/config.ts';
import { visitorsAtOnce } from '../src/context.ts';
import { openDatabase } from '../src/db/database.ts';
import { gather } from '../src/db/gather.ts';
import { createHint } from '../src/db/hint.ts';
import { confirmLetters } from '../src/letters/confirm-letters.ts';
import { type Submission, submissionKey } from '../src/letters/submission.ts';
import { type Written, writeLetters } from '../src/letters/write-letters.ts';
import { createVault } from '../src/people/vault.ts';

/**
 * Writes and confirms letters as the web role does, without HTTP, as a process of its own: as many as each line on
 * stdin says, and then tells the processor time that it took. `argv`: letters per submission. Environment:
 * DATABASE_URL, APP_KEY.
 */
const per = Number(process.argv[2]);
const mailDomain = 'outspoken.example';
/** Submissions under way at once, as from as many visitors. */
const atOnce = 40;

const database = openDatabase(process.env.DATABASE_URL as string, 4);
const vault = createVault(readMasterKeys(process.env.APP_KEY as string) ?? []);
const hint = createHint(database);
// as createContext does it
const writeOne = gather((all: Written[]) => writeLetters(database, vault, all), visitorsAtOnce);
const confirmOne = gather((tokens: string[]) => confirmLetters(database, vault, tokens), visitorsAtOnce);
const campaign = await findCampaign(database, 'bench', mailDomain);
if (!campaign) throw new Error('the bench campaign is missing');
const brands = await brandsOf(database, campaign.id);
const [wording] = await openWordings(database).newest(campaign.id);
if (!wording) throw new Error('the bench wording is missing');

let next = 0;
async function write(submissions: number): Promise<void> {
  const last = next + submissions;
  async function visit(): Promise<void> {
    while (next < last) {
      const n = next;
      next += 1;
      const picked = Array.from(
        { length: per },
        (_, i) => brands[(n * per + i) % brands.length] as (typeof brands)[number],
      );
      const submission: Submission = {
        key: submissionKey(vault, randomBytes(18).toString('base64url'), [n]),
        campaign: campaign as NonNullable<typeof campaign>,
        brands: picked,
        wording: wording as NonNullable<typeof wording>,
        identity: 'counted',
        said: { reasons: ['customer'] },
        address: `advocate-${n}@mail.example`,
      };
      const { confirm } = await writeOne({ submission, language: 'en' });
      await confirmOne(confirm);
      hint();
    }
  }
  await Promise.all(Array.from({ length: atOnce }, visit));
}

process.stdout.write('ready\n');
for await (const letters of createInterface({ input: process.stdin })) {
  const cpu = process.cpuUsage();
  await write(Number(letters) / per);
  const used = process.cpuUsage(cpu);
  process.stdout.write(`${JSON.stringify({ cpuMicros: used.user + used.system })}\n`);
}
await database.close();
