import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, confirmationLink, letterFields, mailFor, until } from '../support/advocate.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { type Sheet, sheetsOn } from '../support/sheets.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

const brands = ['hm', 'levis', 'marks-and-spencer', 'tchibo'];

const hardWords = [
  '.a dot begins this line, and “quotes” & <b>tags</b> stay words',
  '..two dots',
  'From me to you',
  'ខ្ញុំដេរខោ 🧵'.repeat(60),
  'a\u00a0hard space, a trailing one   ',
  '{{brand}} {{#if name}}',
].join('\r\n');

const ways: Record<string, string>[] = [
  { identity: 'counted', name: 'not said', country: 'KH', words: 'Counted.', language: 'en' },
  {
    identity: 'described',
    description: 'a garment worker & “mother”',
    country: 'KH',
    words: hardWords,
    language: 'de',
  },
  { identity: 'named', name: "សុខ ចាន់, O'Brien & Co", country: 'CI', words: hardWords, language: 'en' },
];

describe('the preview', () => {
  it.each(ways)('shows a $identity letter in the language $language exactly as it is sent', async (way) => {
    const email = `${way.identity}@mail.example`;
    const visitor = instance.visitor();
    const fields = letterFields({ brand: brands, reason: ['customer', 'due-pay'], ...way, email });
    const preview = await visitor.post(`${campaignPath}/preview`, fields);
    expect(preview.status).toBe(200);
    const shown = sheetsOn(preview);
    expect(shown.map(({ to }) => to)).toEqual(['H&M', "Levi's", 'Marks & Spencer', 'Tchibo']);

    const before = await Promise.all(brands.map((brand) => lettersTo(brand)));
    await visitor.post(`${campaignPath}/letters`, formOn(preview, `${campaignPath}/letters`).fields);
    await visitor.post(await confirmationLink(instance, email));
    for (const [n, brand] of brands.entries()) {
      const already = before[n]?.length ?? 0;
      const sent = await until(async () => (await lettersTo(brand))[already], `the letter to ${brand}`);
      const { to, ...rest } = shown[n] as Sheet;
      expect(sent).toEqual(rest);
    }
  });

  it('says to which address the link will go, and that nothing was stored', async () => {
    const preview = await instance
      .visitor()
      .post(`${campaignPath}/preview`, letterFields({ email: ' Kim@Mail.EXAMPLE ' }));
    expect(wordsOf(preview)).toContain('Nothing has been stored or sent');
    expect(wordsOf(preview)).toContain('Kim@mail.example');
  });

  it('warns who shows a name, and nobody else', async () => {
    const preview = (changes: Record<string, string>) =>
      instance.visitor().post(`${campaignPath}/preview`, letterFields(changes)).then(wordsOf);
    const warning = 'Your name will be read by this brand';
    expect(await preview({ identity: 'named', name: 'Kim' })).toContain(warning);
    expect(await preview({ identity: 'described', description: 'a worker' })).not.toContain(warning);
    expect(await preview({ identity: 'counted', name: 'Kim' })).not.toContain('Kim');
  });

  it('shows a letter to every brand when all are picked', async () => {
    const preview = await instance.visitor().post(`${campaignPath}/preview`, letterFields({ brand: ['*'] }));
    const [row] = await instance.query<{ n: number }>('select count(*)::int as n from campaign_brand');
    expect(new Set(sheetsOn(preview).map(({ to }) => to)).size).toBe(row?.n);
  });

  it('shows other addresses to each brand, and to each who writes', async () => {
    const preview = async (changes = {}) =>
      sheetsOn(await instance.visitor().post(`${campaignPath}/preview`, letterFields(changes))).map(
        ({ replyTo }) => replyTo,
      );
    const seen = [...(await preview({ brand: ['hm', 'nike'] })), ...(await preview())];
    expect(new Set(seen).size).toBe(3);
  });

  it('stores nothing', async () => {
    const tables = ['advocate', 'letter', 'notice', 'confirmation_cap', 'letter_fingerprint'];
    const count = async () =>
      Promise.all(tables.map((table) => instance.query(`select count(*)::int as n from ${table}`)));
    const before = await count();
    await instance
      .visitor()
      .post(`${campaignPath}/preview`, letterFields({ email: 'unstored@mail.example' }));
    expect(await count()).toEqual(before);
    expect(await mailFor(instance, 'unstored@mail.example')).toEqual([]);
  });
});

describe('a description that ends like a sentence', () => {
  it('stands in the letter without a second full stop', async () => {
    const typed = letterFields({ identity: 'described', description: 'a teacher .', country: '' });
    const [sheet] = sheetsOn(await instance.visitor().post(`${campaignPath}/preview`, typed));
    expect(JSON.stringify(sheet)).toContain('I write to you as a teacher.');
    expect(JSON.stringify(sheet)).not.toMatch(/teacher ?\.\.|teacher \./);
  });
});

describe('the way back from the preview', () => {
  it('loses nothing, also what the letter does not use', async () => {
    const typed = letterFields({
      brand: ['*', 'hm', 'tchibo'],
      identity: 'described',
      name: 'Kim "the <b>pen</b>"',
      description: 'a worker & writer',
      country: 'KH',
      email: 'Keep+Me@mail.example',
      reason: ['no-retaliation', 'customer'],
      words: '  indented\n\n</textarea> & more\n',
      language: 'de',
    });
    const visitor = instance.visitor();
    const preview = await visitor.post(`${campaignPath}/preview`, typed);
    const back = await visitor.post(campaignPath, formOn(preview, `${campaignPath}/letters`).fields);
    expect(back.status).toBe(200);
    const { _csrf, ...kept } = formOn(back, `${campaignPath}/preview`).fields;
    expect(kept).toEqual(
      Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, [value].flat()])),
    );
    const again = await visitor.post(`${campaignPath}/preview`, kept);
    expect(sheetsOn(again)).toEqual(sheetsOn(preview));
  });

  it('leads to the form when the address of the preview is opened by itself', async () => {
    for (const path of ['preview', 'letters']) {
      const page = await instance.visitor().get(`${campaignPath}/${path}`);
      expect([page.status, page.location]).toEqual([303, campaignPath]);
    }
  });
});

/** What the brand's mail server got, as the brand's mail program reads it. */
async function lettersTo(brand: string): Promise<Omit<Sheet, 'to'>[]> {
  const mails = await mailFor(instance, `human-rights@${brand}.example`);
  return mails.map((mail) => ({
    from: { name: mail.from?.value[0]?.name ?? '', address: mail.from?.value[0]?.address ?? '' },
    replyTo: mail.replyTo?.value[0]?.address ?? '',
    subject: mail.subject ?? '',
    text: (mail.text ?? '').replace(/\n$/, ''),
    language: String(mail.headers.get('content-language') ?? ''),
  }));
}
