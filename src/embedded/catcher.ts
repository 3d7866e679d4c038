import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

/** Stands in for the outside world: takes every message, keeps it in a folder, delivers nothing. */
export type Catcher = {
  /** smtp://… for the mailer. */
  url: string;
  /** Ids of the caught messages, newest first. */
  list(): Promise<string[]>;
  /** A message's raw source; undefined if there is none. */
  read(id: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
};

/** So many are kept at most: of more, the oldest go, some at a time. */
const most = 2000;
const atOnce = 100;
/** Room for the largest mail of ours, a brand's answer with its attachments. */
const largest = 8 * 1024 * 1024;

/**
 * Starts an SMTP server on a free loopback port. Messages lie in `folder` as `<id>.eml`, and are still there
 * after a restart; ids sort by time.
 */
export async function startCatcher(folder: string): Promise<Catcher> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let count = 0;
  const list = async () =>
    (await readdir(folder))
      .filter((file) => file.endsWith('.eml'))
      .map((file) => file.slice(0, -4))
      .sort()
      .reverse();

  async function store(raw: Buffer): Promise<void> {
    count += 1;
    const nth = count;
    const id = `${Date.now().toString(36)}-${String(nth).padStart(6, '0')}-${randomBytes(4).toString('hex')}`;
    await writeFile(join(folder, `${id}.part`), raw, { mode: 0o600 });
    await rename(join(folder, `${id}.part`), join(folder, `${id}.eml`));
    if (nth % atOnce !== 1) return; // also after the first of each start: many starts may bring a few each
    for (const old of (await list()).slice(most - atOnce))
      await rm(join(folder, `${old}.eml`), { force: true });
  }

  const server = new SMTPServer({
    name: 'mail-catcher.example',
    banner: 'Outspoken mail catcher: nothing leaves this machine',
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: largest,
    onData(stream, _session, done) {
      collect(stream)
        .then((raw) => (stream.sizeExceeded ? tooLarge() : store(raw)))
        .then(
          () => done(null, 'caught'),
          (error) => done(error),
        );
    },
  });
  server.on('error', () => {}); // a client that went away in mid-sentence
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('the mail catcher got no port');
  return {
    url: `smtp://127.0.0.1:${address.port}?tls=off`,
    list,
    read: async (id) =>
      /^[0-9a-z-]{1,60}$/.test(id) ? readFile(join(folder, `${id}.eml`)).catch(() => undefined) : undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function collect(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (!stream.sizeExceeded) chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): never {
  throw Object.assign(new Error('message too large'), { responseCode: 552 });
}
