import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startHold } from '../../src/hold/hold.ts';
import { closeCampaigns } from '../../src/letters/close-campaigns.ts';
import { campaignPath, until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addCampaign, writeMany } from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeEach(async () => {
  instance = await startInstance({ roles: ['web'], smtpUrl: 'smtp://127.0.0.1:1' });
  await writeMany(instance, { people: 3, brands: ['hm', 'gap'] });
});
afterEach(() => instance.close());

const close = () => closeCampaigns(instance.context.database);
const first = "slug = 'speak-out-for-central'";
const change = (what: string) => instance.query(`update campaign set ${what} where ${first}`);
/** How the campaign stands, whether it can still tell who wrote, and how many marks there are of those who did. */
const stands = async () => {
  const [row] = await instance.query(
    `select state::text, fingerprint_key is not null as key, (
       select count(*)::int from letter_fingerprint where campaign_id = campaign.id) as marks
     from campaign where ${first}`,
  );
  return row;
};
const open = { state: 'open', key: true, marks: 6 };
const over = { state: 'closed', key: false, marks: 0 };

describe('a campaign whose time is over', () => {
  it('is closed a day later, and then nothing tells any more who wrote to whom', async () => {
    // a day on which clocks are set has 23 hours, or 25
    await change("closes_at = now() - interval '22 hours'");
    expect(await close()).toEqual([]);
    expect(await stands()).toEqual(open);
    await change("closes_at = now() - interval '26 hours'");
    expect(await close()).toHaveLength(1);
    expect(await stands()).toEqual(over);
    expect(await close()).toEqual([]);
    expect(wordsOf(await instance.visitor().get(campaignPath))).toContain('This campaign is closed');
  });

  it('is closed by a worker, without anybody thinking of it', async () => {
    await change("closes_at = now() - interval '26 hours'");
    await instance.startWorker();
    await until(async () => (await stands())?.marks === 0, 'a campaign without marks');
    expect(await stands()).toEqual(over);
  });

  it('is closed also while something keeps people from being forgotten', async () => {
    await change("closes_at = now() - interval '26 hours'");
    await instance.query('alter table confirmation_cap rename to broken');
    await instance.startWorker();
    await until(async () => (await stands())?.marks === 0, 'a campaign without marks');
  });

  it('loses its key also when somebody closed it and did no more', async () => {
    await change("state = 'closed'");
    expect(await close()).toHaveLength(1);
    expect(await stands()).toEqual(over);
  });

  it('leaves no mark of whoever confirmed in the moment of its closing', async () => {
    await change("state = 'closed', fingerprint_key = null, key_version = null");
    expect(await close()).toEqual([]);
    expect(await stands()).toEqual(over);
  });

  it('lets its letters be found by the link of the mail, be taken back, and their writers be forgotten as before', async () => {
    const [writer] = await writeMany(instance, { people: 1, brands: ['nike', 'puma'] });
    await change("state = 'closed'");
    await close();
    const visitor = instance.visitor();
    expect((await visitor.get(`/confirm/${writer?.confirm}`)).location).toBe(writer?.receipt);
    expect((await visitor.post(`${writer?.receipt}/cancel`)).location).toContain('cancelled=2');
    expect((await visitor.post(`${writer?.receipt}/erase`)).location).toBe('/erased');
  });
});

describe('a campaign stays as it is', () => {
  it('while it has time, or no end', async () => {
    await addCampaign(instance, 'another');
    await instance.query("update campaign set closes_at = now() + interval '1 hour' where slug = 'another'");
    expect(await close()).toEqual([]);
    expect(await stands()).toEqual(open);
  });

  it('while it is paused: closed, it would send what waits', async () => {
    await change("state = 'paused', closes_at = now() - interval '9 days'");
    expect(await close()).toEqual([]);
    expect(await stands()).toEqual({ ...open, state: 'paused' });
  });

  it('while sending is on hold: it may have got more time since the backup', async () => {
    await change("closes_at = now() - interval '9 days'");
    await startHold(instance.context.database, 'restored');
    expect(await close()).toEqual([]);
    expect(await stands()).toEqual(open);
  });
});
