import { readFileSync } from 'node:fs';
import { afterAll, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { until } from '../support/advocate.ts';
import { fixture, writeLettersTo } from '../support/came-back.ts';
import { startInstance } from '../support/instance.ts';
import { bring } from '../support/mail-client.ts';
import { describeWith } from '../support/needs.ts';
import { startPostfix } from '../support/postfix.ts';
import { startSmtp } from '../support/smtp.ts';

/** The lines of main.cf that docs/operating.md gives to an operator. */
function documented(inboundPort: number): Record<string, string> {
  const block =
    /^ *relay_domains = [\s\S]*?(?=^ *```)/m.exec(readFileSync('docs/operating.md', 'utf8'))?.[0] ?? '';
  const lines = block
    .replaceAll('letters.example.org', 'outspoken.example')
    .replace(':2525', `:${inboundPort}`);
  return Object.fromEntries(
    [...lines.matchAll(/^ *(\w+) =(.*)$/gm)].map(([, name, value = '']) => [name, value.trim()]),
  );
}

const suite = (program: string) => {
  const running: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const part of running.reverse()) await part.close();
  });

  it('brings what is ours, and refuses the rest at the door instead of sending bounces to strangers', async () => {
    const inboundPort = await freePort();
    const settings = documented(inboundPort);
    expect(Object.keys(settings)).toHaveLength(5);
    const smtp = await startSmtp();
    const postfix = await startPostfix(program, { mailboxes: [], transports: {}, settings });
    running.push(smtp, postfix);
    const port = Number(new URL(postfix.url).port);
    const instance = await startInstance({
      roles: ['web', 'worker', 'inbound'],
      smtpUrl: smtp.url,
      settings: { inboundPort },
    });
    running.push(instance);
    const [letter] = await writeLettersTo(instance);
    if (!letter) throw new Error('no letter was written');
    await letter.becomes('accepted');
    const to = (address: string, name = 'postfix-delivered', from = '') =>
      bring(port, { to: address, from, raw: fixture(name, letter) });
    const stranger = 'somebody@brand.example';
    for (const address of [
      letter.returnPath.replace('b.', 'b.0'),
      `r.${'0'.repeat(20)}@outspoken.example`,
      'letters@outspoken.example',
    ])
      expect((await to(address, 'reply', stranger)).at(-1)).toMatch(/^550 /);
    expect((await to('somebody@elsewhere.example', 'reply', stranger)).at(-1)).toMatch(/^[45]54 /);
    expect((await to('notices@outspoken.example')).at(-1)).toMatch(/^250 /);
    expect((await to(letter.returnPath)).at(-1)).toMatch(/^250 /);
    await letter.becomes('delivered');
    await until(
      async () => /to=<notices@outspoken\.example>.*status=sent/.test(postfix.log()),
      'the other one',
    );
    expect(postfix.log()).not.toMatch(/status=bounced|sender non-delivery notification/);
  }, 120_000);
};

describeWith('postfix', 'a Postfix in front of the listener, as the documents say', suite, { root: true });
