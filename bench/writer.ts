import { randomBytes } from 'node:crypto';
import { brandsOf, findCampaign } from '../src/campaigns/campaign-store.ts';
import { openWordings } from '../src/campaigns/wordings.ts';
import { readMasterKeys } from '../src/config.ts';
import { openDatabase } from '../src/db/database.ts';
import { gather } from '../src/db/gather.ts';
import { createHint } from '../src/db/hint.ts';
import { confirmLetters } from '../src/letters/confirm-letters.ts';
import { type Submission, submissionKey } from '../src/letters/submission.ts';
import { type Written, writeLetters } from '../src/letters/write-letters.ts';
import { createVault } from '../src/people/vault.ts';

/**
 * Writes and confirms letters as the web role does, without HTTP, as a process of its own. It waits for a line
 * on stdin, then starts. `argv`: number of letters, letters per submission. Environment: DATABASE_URL, APP_KEY.
 */
const [letters = '0', perSubmission = '1'] = process.argv.slice(2);
const mailDomain = 'outspoken.example';
/** Submissions under way at once, as from as many visitors. */
const atOnce = 40;

const database = openDatabase(process.env.DATABASE_URL as string, 4);
const vault = createVault(readMasterKeys(process.env.APP_KEY as string) ?? []);
const hint = createHint(database);
// as createContext does it
const write = gather((all: Written[]) => writeLetters(database, vault, all), 32);
const confirmOne = gather((tokens: string[]) => confirmLetters(database, vault, tokens), 32);
const campaign = await findCampaign(database, 'bench', mailDomain);
if (!campaign) throw new Error('the bench campaign is missing');
const brands = await brandsOf(database, campaign.id);
const [wording] = await openWordings(database).newest(campaign.id);
if (!wording) throw new Error('the bench wording is missing');

process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
process.stdin.destroy();

const per = Number(perSubmission);
const submissions = Number(letters) / per;
let next = 0;
async function visit(): Promise<void> {
  while (next < submissions) {
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
    const { confirm } = await write({ submission, language: 'en' });
    await confirmOne(confirm);
    hint();
  }
}
const cpu = process.cpuUsage();
await Promise.all(Array.from({ length: atOnce }, visit));
const used = process.cpuUsage(cpu);
process.stdout.write(`${JSON.stringify({ cpuMicros: used.user + used.system })}\n`);
await database.close();
