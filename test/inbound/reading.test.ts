import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { pen } from '../../src/commands/pen.ts';
import { inboundLimits } from '../../src/inbound/limits.ts';
import { openReaders, type Readers } from '../../src/inbound/readers.ts';
import { createLog } from '../../src/log.ts';
import { type SentLetter, sendLetter } from '../support/came-back.ts';
import { childrenRunning, variablesOf } from '../support/children.ts';
import { runHere } from '../support/commands.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { connectTo } from '../support/mail-client.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const mail = (id: string, text: string) =>
  `Message-ID: <${id}@brand.example>\r\nFrom: a@brand.example\r\nSubject: Re: Please speak out\r\n\r\n${text}`;

/** Line breaks in three hundred quotations: making text of them takes twenty seconds in one piece. */
const long = (id: string) =>
  `Content-Type: text/html\r\n${mail(id, `${'<blockquote>'.repeat(300)}${'<br>x'.repeat(100_000)}`)}`;

/** Five megabytes of bare line feeds, which take hundreds. */
const large = (id: string) => mail(id, `Hello${'\n'.repeat(4.9 * 1024 * 1024)}`);

const bytes = (raw: string) => Buffer.from(raw, 'latin1');
const person = { nullSender: false, wantsWords: true };
const plenty = { processes: 1, longest: 600_000, memory: 2048 };

let smtp: TestSmtp;
let instance: Instance;
let letter: SentLetter;
const closers: Array<() => Promise<void>> = [];
beforeAll(async () => {
  smtp = await startSmtp();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});
afterAll(() => smtp.close());

async function startWith(reading: typeof inboundLimits.reading): Promise<void> {
  instance = await startInstance({
    roles: ['web', 'worker', 'inbound'],
    smtpUrl: smtp.url,
    inboundLimits: { ...inboundLimits, reading },
  });
  closers.push(instance.close);
  letter = await sendLetter(instance);
}

/** Brings a mail to the letter's address, byte for byte; what is said to it. */
async function bringAsItIs(raw: string): Promise<string> {
  const client = connectTo(instance.inboundPort);
  await client.hear();
  await client.say('EHLO mx.brand.example');
  await client.say('MAIL FROM:<a@brand.example>');
  await client.say(`RCPT TO:<${letter.replyTo}>`);
  await client.say('DATA');
  const said = await client.say(`${raw}\r\n.`, 'latin1');
  client.end();
  return said;
}

const penned = async () =>
  (await runHere(instance, pen)).out
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split('  ')[2]);
const replied = async () => (await letter.timeline()).filter(({ type }) => type === 'replied').length;

describe('a mail that takes much to read', () => {
  it('keeps nobody else waiting: before it is read, pages are served and other mail is taken', async () => {
    await startWith(inboundLimits.reading);
    const readers = openReaders(createLog('silent'), plenty);
    let isRead = false;
    const reading = readers.read(bytes(long('long')), person).finally(() => {
      isRead = true;
    });
    for (let page = 0; page < 20; page += 1) expect((await letter.page()).status).toBe(200);
    expect(await bringAsItIs(mail('short', 'Hello'))).toMatch(/^250 /);
    expect([await replied(), isRead]).toEqual([1, false]);
    await readers.close();
    expect(await reading).toBeUndefined();
  });

  it('waits in the pen when it takes longer than it may, and the next one is read', async () => {
    await startWith({ ...plenty, longest: 3000 });
    expect(await bringAsItIs(long('too-long'))).toMatch(/^250 /);
    expect(await penned()).toEqual(['unreadable']);
    expect(await bringAsItIs(mail('next', 'Hello'))).toMatch(/^250 /);
    expect([await replied(), await penned()]).toEqual([1, ['unreadable']]);
    // it comes again, and is known
    expect(await bringAsItIs(long('too-long'))).toMatch(/^250 /);
    expect(await penned()).toEqual(['unreadable']);
  });

  it('waits in the pen when it takes more memory than it may, and the next one is read', async () => {
    await startWith({ ...plenty, memory: 48 });
    expect(await bringAsItIs(large('too-large'))).toMatch(/^250 /);
    expect(await penned()).toEqual(['unreadable']);
    expect(await bringAsItIs(mail('next', 'Hello'))).toMatch(/^250 /);
    expect([await replied(), await penned()]).toEqual([1, ['unreadable']]);
  });
});

describe('a process that reads mail', () => {
  it('is given none of our settings, and is not ended by the signals that ask us to end', async () => {
    const readers = openReaders(createLog('silent'), plenty);
    closers.push(readers.close);
    const read = async () => (await readers.read(bytes(mail('fine', 'Hello')), person))?.verdict.kind;
    expect(await read()).toBe('reply');
    const [pid = 0, ...others] = childrenRunning('reading-process');
    expect(others).toEqual([]);
    // the rest tells Node where the line to its parent is
    expect(variablesOf(pid).filter((name) => !name.startsWith('NODE_CHANNEL_'))).toEqual(['NODE_OPTIONS']);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    expect(await read()).toBe('reply');
    expect(childrenRunning('reading-process')).toEqual([pid]);
  });
});

describe('a mail that nobody can read now', () => {
  it('is asked to come again: that there is no process is not its fault', async () => {
    await startWith({ ...plenty, memory: 1 });
    expect(await bringAsItIs(mail('fine', 'Hello'))).toMatch(/^451 /);
    expect([await replied(), await penned()]).toEqual([0, []]);
  });

  it.each([
    ['comes up', async () => {}],
    ['has come up', (readers: Readers) => readers.read(bytes(mail('fine', 'Hello')), person)],
  ])('is left alone when all is closed, read or in line, while its process %s', async (_what, before) => {
    const readers = openReaders(createLog('silent'), plenty);
    await before(readers);
    const readings = ['one', 'two', 'three'].map((id) => readers.read(bytes(long(id)), person));
    await readers.close();
    expect(await Promise.all(readings)).toEqual([undefined, undefined, undefined]);
  });
});
