import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../bench/free-port.ts';
import { until } from './advocate.ts';
import { connectTo } from './mail-client.ts';

export type Postfix = {
  url: string;
  /** What it delivered into a mailbox. */
  mailbox(address: string): Promise<Buffer[]>;
  log(): string;
  close(): Promise<void>;
};

type Options = {
  /** Mailboxes that it has; other names in their domains do not exist. */
  mailboxes: string[];
  /** Where the mail of other domains goes, e.g. `smtp:[127.0.0.1]:2525`. */
  transports: Record<string, string>;
  /** Further lines of main.cf, which count before ours. */
  settings?: Record<string, string>;
};

/** Who owns the mailboxes: nobody, on Debian. */
const nobody = 65534;

/**
 * A real Postfix of its own on a loopback port, with its own configuration, queue and mailboxes. It asks no DNS,
 * and its days are seconds. Like every Postfix it must be started by root.
 */
export async function startPostfix(program: string, options: Options): Promise<Postfix> {
  const folder = await mkdtemp(join(tmpdir(), 'outspoken-postfix-'));
  const inside = (name: string) => join(folder, name);
  await chmod(folder, 0o755);
  for (const name of ['conf', 'queue', 'data', 'mail']) await mkdir(inside(name));
  execFileSync('chown', ['postfix', inside('data')]);
  execFileSync('chown', [String(nobody), inside('mail')]);
  const port = await freePort();
  await writeFile(inside('conf/main.cf'), mainConfiguration(inside, options));
  await writeFile(inside('conf/master.cf'), services(port));

  // a file, since Postfix opens /dev/stdout, which it cannot when that is one of Node's pipes
  const log = await open(inside('log'), 'a');
  const child = spawn(program, ['-c', inside('conf'), 'start-fg'], { stdio: ['ignore', log.fd, log.fd] });
  const said = () => readFileSync(inside('log'), 'utf8');
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`Postfix did not start: ${said()}`);
      const client = connectTo(port);
      const greeting = await client.hear();
      client.end();
      return greeting.startsWith('220 ');
    },
    'Postfix to come up',
    60_000,
  );
  return {
    url: `smtp://127.0.0.1:${port}?tls=off`,
    async mailbox(address) {
      const arrived = join(inside('mail'), address, 'new');
      const files = await readdir(arrived).catch(() => []);
      return Promise.all(files.map((file) => readFile(join(arrived, file))));
    },
    log: said,
    async close() {
      execFileSync(program, ['-c', inside('conf'), 'stop'], { stdio: 'ignore' });
      await ended;
      await log.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function mainConfiguration(
  inside: (name: string) => string,
  { mailboxes, transports, settings: more = {} }: Options,
): string {
  const inline = (entries: [string, string][]) =>
    `inline:{ ${entries.map(([key, value]) => `{ ${key} = ${value} }`).join(', ')} }`;
  const settings = {
    compatibility_level: '3.6',
    queue_directory: inside('queue'),
    data_directory: inside('data'),
    maillog_file: '/dev/stdout',
    myhostname: 'mx.brand.example',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    disable_dns_lookups: 'yes',
    smtp_host_lookup: 'native',
    mynetworks: '127.0.0.0/8',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    mydestination: '',
    local_transport: 'error:there are no local mailboxes',
    alias_maps: '',
    alias_database: '',
    transport_maps: inline(Object.entries(transports)),
    virtual_mailbox_domains: [...new Set(mailboxes.map((box) => box.split('@')[1]))].join(' '),
    virtual_mailbox_base: inside('mail'),
    virtual_mailbox_maps: inline(mailboxes.map((box) => [box, `${box}/`])),
    virtual_uid_maps: `static:${nobody}`,
    virtual_gid_maps: `static:${nobody}`,
    queue_run_delay: '1s',
    minimal_backoff_time: '1s',
    maximal_backoff_time: '1s',
    delay_warning_time: '1s',
    maximal_queue_lifetime: '5s',
    bounce_queue_lifetime: '5s',
    ...more,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** Debian's services (postfix-script(1), master(5)), none of them in a chroot. */
function services(port: number): string {
  return `
127.0.0.1:${port} inet n - n - - smtpd
pickup   unix n - n 60 1 pickup
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
verify   unix - - n - 1 verify
flush    unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp     unix - - n - - smtp
error    unix - - n - - error
retry    unix - - n - - error
discard  unix - - n - - discard
virtual  unix - n n - - virtual
anvil    unix - - n - 1 anvil
scache   unix - - n - 1 scache
tlsmgr   unix - - n 1000? 1 tlsmgr
postlog  unix-dgram n - n - 1 postlogd
`;
}
