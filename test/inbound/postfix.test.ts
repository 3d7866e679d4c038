import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { until } from '../support/advocate.ts';
import { type SentLetter, writeLettersTo } from '../support/came-back.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';
import { type Postfix, startPostfix } from '../support/postfix.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

/** Letters go out through a real Postfix, which delivers them, refuses them, or gives up; its reports come back. */
const suite = (program: string) => {
  let postfix: Postfix;
  let instance: Instance;
  /** The mail server behind Postfix of the brands that have one. */
  let brands: TestSmtp;
  const letters = new Map<string, SentLetter>();

  const answers: Record<string, string> = {
    'nike.example': '550 5.1.1 <human-rights@nike.example>: no such user here',
    'puma.example': '452 4.2.2 <human-rights@puma.example>: mailbox is full, come back later',
    'gap.example': '552 5.2.2 <human-rights@gap.example>: mailbox is full',
  };

  beforeAll(async () => {
    brands = await startSmtp();
    brands.script((moment, { to }) => {
      const reply = answers[to[0]?.split('@')[1] ?? ''];
      return moment === 'rcpt' && reply ? { reply } : undefined;
    });
    const inboundPort = await freePort();
    const behind = `smtp:[127.0.0.1]:${brands.port}`;
    postfix = await startPostfix(program, {
      mailboxes: ['human-rights@hm.example', 'somebody-else@inditex.example'],
      transports: {
        'outspoken.example': `smtp:[127.0.0.1]:${inboundPort}`,
        'nike.example': behind,
        'puma.example': behind,
        'gap.example': behind,
        'asics.example': behind,
        'adidas.example': 'smtp:[no-such-host.invalid]',
      },
    });
    instance = await startInstance({
      roles: ['web', 'worker', 'inbound'],
      smtpUrl: postfix.url,
      settings: { inboundPort },
    });
    for (const brand of ['hm', 'inditex', 'nike', 'puma', 'gap', 'asics', 'adidas']) {
      const [letter] = await writeLettersTo(instance, brand);
      if (letter) letters.set(brand, letter);
    }
  }, 90_000);
  afterAll(async () => {
    await instance?.close();
    await postfix?.close();
    await brands?.close();
  });

  const letterTo = (brand: string) => letters.get(brand) as SentLetter;
  const last = async (brand: string) => (await letterTo(brand).timeline()).at(-1);
  const types = async (brand: string) => (await letterTo(brand).timeline()).map(({ type }) => type);

  it('says that a letter was delivered, when it lies in the mailbox', async () => {
    await letterTo('hm').becomes('delivered');
    const [mail] = await postfix.mailbox('human-rights@hm.example');
    expect(mail?.toString()).toContain(`Message-ID: <${letterTo('hm').messageId}>`);
    expect(await last('hm')).toMatchObject({
      type: 'delivered',
      host: 'mx.brand.example',
      response: expect.stringMatching(/^2\.0\.0 .*delivered to maildir/),
    });
    expect((await types('hm')).slice(-2)).toEqual(['accepted', 'delivered']);
  });

  it('refuses a letter at once, when the mailbox does not exist', async () => {
    await letterTo('inditex').becomes('rejected');
    expect(await last('inditex')).toMatchObject({ type: 'rejected', code: '550' });
  });

  it('brings a letter back, when the mailbox does not exist behind it', async () => {
    await letterTo('nike').becomes('bounced');
    expect(await last('nike')).toMatchObject({
      type: 'bounced',
      code: '550',
      host: '127.0.0.1',
      response: '550 5.1.1 <…>: no such user here',
    });
  });

  it('brings a letter back, when the mailbox is full for good', async () => {
    await letterTo('gap').becomes('bounced');
    expect(await last('gap')).toMatchObject({ type: 'bounced', code: '552' });
  });

  it('tells of a full mailbox that may have room again first, and then gives up', async () => {
    await letterTo('puma').becomes('bounced');
    expect((await types('puma')).slice(-3)).toEqual(['accepted', 'delayed', 'bounced']);
    expect(await last('puma')).toMatchObject({ code: '452', response: expect.stringContaining('4.2.2') });
  });

  it('brings a letter back, when the domain does not resolve', async () => {
    await letterTo('adidas').becomes('bounced');
    expect(await last('adidas')).toMatchObject({
      type: 'bounced',
      host: 'mx.brand.example',
      response: expect.stringContaining('no-such-host.invalid'),
    });
  });

  it('says that a letter was passed on, when the next server reports nothing, and no more than that', async () => {
    await until(async () => (await types('asics')).includes('relayed'), 'a report');
    expect(await letterTo('asics').state()).toBe('accepted');
    expect(brands.accepted.map(({ to }) => to[0])).toEqual(['human-rights@asics.example']);
  });

  it('leaves nothing for a person to read: every report of it is understood', async () => {
    expect(await instance.query('select reason from pen')).toEqual([]);
    // only contacts that refused for good are marked; whether a name that is not found passes, resolvers tell differently
    const marked = await instance.query<{ slug: string }>(
      'select slug from contact join brand on brand.id = brand_id where failures > 0 order by slug',
    );
    expect(marked.map(({ slug }) => slug).filter((slug) => slug !== 'adidas')).toEqual(['gap', 'nike']);
  });
};

describeWith('postfix', 'a real Postfix', suite, { root: true });
