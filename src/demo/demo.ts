import { type AtEnd, runWithEndings } from '../endings.ts';
import { ExpectedError } from '../expected.ts';
import { readOptions } from '../options.ts';
import { startDemoInstance } from './instance.ts';
import { type Fields, fieldOf, lettersOf, type ReceiptLetter, readText, Visitor } from './visitor.ts';

/**
 * `npm run demo`: walks the main job as a person would, over real HTTP and SMTP, on an instance of its own.
 * Exits 0 only if every letter was accepted. `--json` prints one JSON object on stdout, and nothing else.
 */
const { json } = readOptions('npm run demo [-- --json]', { json: { type: 'boolean', default: false } });
const campaign = '/c/speak-out-for-central';
const brands = ['hm', 'nike', 'tchibo'];
const address = 'demo.advocate@mail.example';
const patience = 30_000;

async function main(atEnd: AtEnd): Promise<void> {
  const started = performance.now();
  const instance = await startDemoInstance(atEnd);
  say(`An instance of its own is up at ${instance.url}, its data in ${instance.folder}.`);
  const letters = await walk(new Visitor(instance.url));
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (json) process.stdout.write(`${JSON.stringify({ letters: letters.map(forJson), seconds })}\n`);
  else for (const letter of letters) print(letter);
  const accepted = letters.filter(({ status }) => status === 'accepted').length;
  say(`${accepted} of ${letters.length} letters were accepted, in ${seconds} seconds.`);
  if (accepted !== brands.length) process.exitCode = 1;
}

async function walk(visitor: Visitor): Promise<ReceiptLetter[]> {
  const form = await visitor.get(campaign);
  say(`Opened the campaign: ${readText(form, 'h1')}`);

  const fields: Fields = {
    submission: fieldOf(form, 'submission'),
    brand: brands,
    reason: ['no-retaliation', 'customer'],
    words: 'I have worn your clothes for years, and I would like to go on doing so with a good conscience.',
    language: 'en',
    identity: 'counted',
    email: address,
  };
  const preview = await visitor.post(`${campaign}/preview`, fields);
  say(`Filled in the form and read the preview: ${readText(preview, 'h1')}`);

  const sent = await visitor.post(`${campaign}/letters`, fields);
  const waiting = await visitor.get(sent.location);
  say(`Sent the form: ${readText(waiting, 'h1')}`);

  const link = await until('the confirmation mail', () => findLink(visitor));
  const question = await visitor.get(link);
  say(`Found the link in the mailbox and opened it: ${readText(question, 'h1')}`);

  const confirmed = await visitor.post(link, {});
  say('Pressed the button.');
  const letters = await until('answers to all letters', async () => {
    const found = lettersOf(await visitor.get(confirmed.location));
    return found.length === brands.length && found.every(({ status }) => !onTheirWay.has(status)) && found;
  });
  say('Followed the letters on the private page until each was answered.');
  return letters;
}

const onTheirWay = new Set(['draft', 'ready', 'queued', 'sending', 'deferred']);

/** The confirmation link, from the catcher's pages, as a path. */
async function findLink(visitor: Visitor): Promise<string | undefined> {
  const list = await visitor.get('/mail');
  for (const [, path] of list.html.matchAll(/href="(\/mail\/[0-9a-z-]+)"/g)) {
    const mail = await visitor.get(path as string);
    const link = /\/confirm\/[A-Za-z0-9_-]{43}/.exec(mail.html)?.[0];
    if (link && mail.html.includes(address)) return link;
  }
  return undefined;
}

async function until<Result>(what: string, look: () => Promise<Result | undefined | false>): Promise<Result> {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new ExpectedError(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

function forJson({ id, brand, status, messageId, events }: ReceiptLetter) {
  return { id, brand, status, messageId, events };
}

function print({ brandName, status, messageId, events }: ReceiptLetter): void {
  process.stdout.write(`\n${brandName}: ${status}  <${messageId}>\n`);
  for (const { at, type, host, response } of events) {
    const answer = response ? `  ${host}: ${response}` : '';
    process.stdout.write(`  ${at}  ${type}${answer}\n`);
  }
}

function say(line: string): void {
  (json ? process.stderr : process.stdout).write(`${line}\n`);
}

await runWithEndings(main);
