import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeCampaigns } from '../../src/letters/close-campaigns.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { setContact, stateCounts, writeMany } from '../support/letters.ts';

let instance: Instance;
beforeEach(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterEach(() => instance.close());

/** Makes a change as it was possible before there was a rule against it. */
async function enterBefore(rule: string, table: string, change: () => Promise<unknown>): Promise<void> {
  await instance.query(`alter table ${table} disable trigger ${rule}`);
  await change();
  await instance.query(`alter table ${table} enable trigger ${rule}`);
}

describe('what staff entered before there was a rule against it', () => {
  it('does not keep letters to others from being released', async () => {
    await enterBefore('an_email_address_can_be_written_to', 'contact', () =>
      setContact(instance, 'hm', "address = 'people @brand.example', hourly_pace = 60"),
    );
    await writeMany(instance, { people: 1, brands: ['hm', 'nike'] });
    expect(await releaseLetters(instance.context.database)).toHaveLength(2);
    expect(await stateCounts(instance)).toEqual({ queued: 2 });
  });

  it('keeps no campaign from being paused or closed', async () => {
    await enterBefore('a_mail_domain_is_one_in_lower_case', 'campaign', () =>
      instance.query("update campaign set mail_domain = 'Letters.example.org'"),
    );
    await instance.query("update campaign set state = 'paused' where state = 'open'");
    await instance.query("update campaign set state = 'open', closes_at = now() - interval '2 days'");
    expect(await closeCampaigns(instance.context.database)).toHaveLength(1);
  });
});
