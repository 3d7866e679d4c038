import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, letterFields } from '../support/advocate.ts';
import { formOn, summaryOf, tagOf } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());

const named = { identity: 'named', name: 'Sok' };

/** Everything that a person can fill in, so that a test sees whether any of it gets lost. */
const everything = {
  brand: ['hm', 'tchibo'],
  identity: 'counted',
  name: 'Sok "the <b>pen</b>" Chan',
  description: 'a worker & a writer',
  country: 'KH',
  email: 'Keep+Me@mail.example',
  reason: ['no-retaliation', 'customer'],
  words: '\n  First line\n</textarea><script>alert(1)</script>\n',
  language: 'de',
};

describe.each([['preview'], ['letters']])('a form that comes back from %s', (path) => {
  const send = (changes: Record<string, string | string[]>) =>
    instance.visitor().post(`${campaignPath}/${path}`, letterFields(changes));

  it('keeps everything typed', async () => {
    const typed = letterFields({ ...everything, email: 'not an address' });
    const page = await send(typed);
    expect(page.status).toBe(422);
    expect(kept(page)).toEqual(asLists(typed));
  });

  it('keeps the brands and the reasons when no identity is known', async () => {
    const typed = letterFields({ ...everything, identity: 'king' });
    const { identity, ...rest } = asLists(typed);
    expect(identity).toEqual(['king']);
    expect(kept(await send(typed))).toEqual(rest);
  });

  it('gets a new number when its hidden one was lost, so that it can be sent', async () => {
    const page = await send({ submission: '' });
    expect(page.status).toBe(422);
    expect(wordsOf(page)).toContain('This form was not complete');
    const again = await instance.visitor().post(`${campaignPath}/preview`, kept(page));
    expect(again.status).toBe(200);
  });
});

describe('a campaign whose letter has one language', () => {
  it('does not ask for it, and puts it right when it was lost', async () => {
    await instance.query(`
      with copy as (
        insert into campaign (slug, state, texts, fingerprint_key, key_version)
        select 'one-language', state, texts, fingerprint_key, key_version from campaign
        returning id
      ), brand as (
        insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
        select copy.id, brand_id, contact_id, position, lists from copy, campaign_brand
      )
      insert into wording (campaign_id, language, version, sender, subject, body, passages)
      select copy.id, language, version, sender, subject, body, passages from copy, wording where language = 'en'`);
    const page = await instance.visitor().post('/c/one-language/preview', letterFields({ language: 'xx' }));
    expect(page.status).toBe(422);
    expect(summaryOf(page)).toMatchObject([{ anchor: 'send' }]);
    expect(tagOf(page, 'send')).not.toBe('');
    const { fields } = formOn(page, '/c/one-language/preview');
    expect((await instance.visitor().post('/c/one-language/preview', fields)).status).toBe(200);
  });
});

describe('a form that a browser cannot send', () => {
  it.each([
    ['a name twice', { ...named, name: ['Sok', 'Chan'] }],
    ['two addresses', { email: ['a@mail.example', 'b@mail.example'] }],
  ])('is refused when it holds %s', async (_what, changes) => {
    const page = await instance.visitor().post(`${campaignPath}/letters`, letterFields(changes));
    expect(page.status).toBe(400);
    expect(await instance.query('select 1 from advocate')).toEqual([]);
  });

  it('cannot write to a campaign that does not exist', async () => {
    const page = await instance.visitor().post('/c/no-such-campaign/letters', letterFields());
    expect(page.status).toBe(404);
  });
});

function kept(page: Page): Record<string, string[]> {
  const { _csrf, ...fields } = formOn(page, `${campaignPath}/preview`).fields;
  return fields;
}

function asLists(fields: Record<string, string | string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat()]));
}
