import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMailer, type Mailer, type MailerOptions } from '../../src/mail/mailer.ts';
import type { Sending } from '../../src/mail/transaction.ts';
import { until } from '../support/advocate.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { makeAuthority } from '../support/tls.ts';
import { does, readVerdicts } from '../support/verdicts.ts';

const timeouts = { connect: 60_000, greeting: 60_000, silence: 60_000 };

let smtp: TestSmtp;
let mailer: Mailer;
/** What was asked of the letters, and what they were told, in its order. */
let said: string[];
beforeEach(async () => {
  said = [];
  smtp = await startSmtp();
  mailer = createMailer({ url: smtp.url, connections: 1, timeouts });
});
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await mailer.close();
  await smtp.close();
});

type StartOptions = Parameters<typeof startSmtp>[0];

async function anew(options: (url: string) => Partial<MailerOptions>, server: StartOptions = {}) {
  await mailer.close();
  await smtp.close();
  smtp = await startSmtp(server);
  mailer = createMailer({ url: smtp.url, connections: 1, timeouts, ...options(smtp.url) });
}

const messageOf = (name: string, rest = '') =>
  `From: a@outspoken.example\r\nSubject: ${name}\r\n\r\nHello${rest}\r\n`;

function letter(name: string, own: Partial<Sending> = {}): Sending {
  return {
    envelope: { from: `b.${name}@outspoken.example`, to: 'human-rights@hm.example' },
    message: messageOf(name),
    leaves() {
      said.push(`${name} leaves`);
      return true;
    },
    came: ({ kind }) => said.push(`${name}: ${kind}`),
    ...own,
  };
}

/** Sends the first, and the others behind it as far as they may follow. @returns the names of those that were asked for */
async function sendInTurn(first: Sending, ...others: Sending[]): Promise<string[]> {
  const asked: string[] = [];
  await mailer.converse(first, () => {
    const next = others.shift();
    if (next) asked.push(/b\.(\w+)/.exec(next.envelope.from)?.[1] ?? '');
    return next;
  });
  return asked;
}

const names = (caught: TestSmtp['accepted']) => caught.map(({ from }) => /b\.(\w+)/.exec(from)?.[1]);

/** A server that answers each piece as it is told, and a mailer with one connection to it. */
async function startOdd(answer: (piece: string, socket: Socket) => string): Promise<Mailer> {
  const server = createServer({ noDelay: true }, (socket) => {
    closing.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const piece = chunk.toString('latin1');
      const isGreeting = piece.startsWith('EHLO');
      socket.write(isGreeting ? '250-mx.brand.example\r\n250 PIPELINING\r\n' : answer(piece, socket));
    });
    socket.write('220 mx.brand.example ESMTP\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  const { port } = server.address() as { port: number };
  const odd = createMailer({ url: `smtp://127.0.0.1:${port}?tls=off`, connections: 1, timeouts });
  closing.push(() => odd.close());
  return odd;
}

describe('letters behind each other', () => {
  it('go out on one connection, each once the one before was taken, as they were written', async () => {
    expect(await sendInTurn(letter('one'), letter('two'), letter('three'))).toEqual(['two', 'three']);
    expect(said).toEqual([
      ...['one leaves', 'one: accepted', 'two leaves', 'two: accepted', 'three leaves', 'three: accepted'],
    ]);
    expect(smtp.accepted.map(({ raw }) => raw.toString())).toEqual(
      ['one', 'two', 'three'].map((n) => messageOf(n)),
    );
    expect(names(smtp.accepted)).toEqual(['one', 'two', 'three']);
    expect(smtp.connections).toBe(1);
    expect((await mailer.send(letter('x').envelope, Buffer.from(messageOf('x')))).kind).toBe('accepted');
    expect(smtp.connections).toBe(1);
  });

  it('go out on TLS as well', async () => {
    const certificate = makeAuthority().vouch('relay.example');
    await anew(() => ({}), { certificate });
    await sendInTurn(letter('one'), letter('two'), letter('three'));
    expect([names(smtp.accepted), smtp.connections]).toEqual([['one', 'two', 'three'], 1]);
  });

  it('are announced in one piece with the message before (RFC 2920 section 3.1), and answered in pieces', async () => {
    const pieces: string[] = [];
    const answers = [
      '250 ok\r\n250 ok\r\n354 go on\r\n',
      // the first letter's answer, those to the envelope behind it, and one that is cut in its midst
      '250 2.0.0 taken\r\n250-two\r\n250 lines\r\n25',
      '250 2.0.0 taken, too\r\n',
    ];
    const odd = await startOdd((piece, socket) => {
      pieces.push(piece);
      if (pieces.length === 2) setTimeout(() => socket.write('0 ok\r\n354 go on\r\n'), 50);
      return answers[pieces.length - 1] ?? '';
    });
    const [one, two] = [letter('one'), letter('two')];
    const others = [two];
    await odd.converse(one, () => others.shift());
    const envelope = ({ envelope: { from, to } }: Sending) =>
      `MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`;
    expect(pieces).toEqual([envelope(one), `${one.message}.\r\n${envelope(two)}`, `${two.message}.\r\n`]);
    expect(said).toEqual(['one leaves', 'one: accepted', 'two leaves', 'two: accepted']);
  });

  const nowhere = 'smtp://127.0.0.1:1?tls=off&weight=0';

  it.each<[string, (url: string) => Partial<MailerOptions>, boolean, Partial<Sending>]>([
    ['the server does not offer PIPELINING', () => ({}), false, {}],
    ['messages are signed', () => ({ sign: async (bytes) => bytes }), true, {}],
    ['there are several relays', (url) => ({ url: `${url},${nowhere}` }), true, {}],
    ['the one before is long', () => ({}), true, { message: messageOf('one', '.'.repeat(8192)) }],
  ])('are not asked for where %s', async (_, options, pipelining, own) => {
    await anew(options, { pipelining });
    expect(await sendInTurn(letter('one', own), letter('two'))).toEqual([]);
    expect(said).toEqual(['one leaves', 'one: accepted']);
  });

  it.each<[string, Partial<MailerOptions>, Partial<Sending>]>([
    [
      'may not be written to',
      { guard: (to) => to === 'human-rights@hm.example' },
      { envelope: { from: 'b.two@outspoken.example', to: 'somebody@else.example' } },
    ],
    ['cannot be sent at all', {}, { envelope: { from: 'b.two@outspoken.example', to: 'no address' } }],
  ])('stay, untold, where the next %s', async (_, options, own) => {
    await anew(() => options);
    await sendInTurn(letter('one'), letter('two', own));
    expect(said).toEqual(['one leaves', 'one: accepted']);
    expect(names(smtp.accepted)).toEqual(['one']);
    expect((await mailer.send(letter('x').envelope, Buffer.from(messageOf('x')))).kind).toBe('accepted');
    expect(smtp.connections).toBe(1);
  });

  it('do not keep a connection for which somebody else waits', async () => {
    let other: Promise<unknown> = Promise.resolve();
    const others = [letter('two'), letter('three')];
    await mailer.converse(letter('one'), () => {
      const next = others.shift();
      other = mailer.send(letter('x').envelope, Buffer.from(messageOf('x')));
      return next;
    });
    await other;
    expect(names(smtp.accepted)).toEqual(['one', 'two', 'x']);
    expect(smtp.connections).toBe(1);
  });
});

/** What the letter in front is told, when it is answered so at its final dot while another one stands behind it. */
const inFront = {
  FIN: 'unknown',
  RST: 'unknown',
  silence: 'unknown',
  '421': 'try again',
  '4yz': 'try again',
  '5yz': 'refused',
};

describe('the letter in front, when its final dot is answered with', () => {
  it.each(Object.entries(inFront))('%s, is told: %s; and the one behind, nothing', async (how, kind) => {
    await anew(() => ({ timeouts: { ...timeouts, silence: how === 'silence' ? 3000 : 60_000 } }));
    smtp.script((moment, { count }) => (moment === 'dot' && count === 0 ? does[how] : undefined));
    await sendInTurn(letter('one'), letter('two'));
    expect(said).toEqual(['one leaves', `one: ${kind}`]);
    expect(names(smtp.handedOver)).toEqual(['one']);
    if (how === 'silence') return; // the relay is left alone now
    await sendInTurn(letter('two'), letter('three'));
    expect(names(smtp.accepted)).toEqual(['two', 'three']);
    expect(smtp.connections).toBe(2);
  });
});

/**
 * What the letter behind is told, when that happens to it. `-`: nothing, so that it can go by itself, as if for the first
 * time.
 */
const table = `
  stage      FIN      RST      silence  421      4yz      5yz
  mail       -        -        -        -        -        -
  rcpt       -        -        -        -        -        -
  data       -        -        -        -        -        -
  dot        unknown  unknown  unknown  later    later    refused
`;
describe('the letter behind, when its conversation meets with', () => {
  it.each(readVerdicts(table))(
    '$when at $stage, is told: $outcome',
    async ({ stage, when, outcome, kind }) => {
      await anew(() => ({ timeouts: { ...timeouts, silence: when === 'silence' ? 3000 : 60_000 } }));
      smtp.script((moment, { count }) => (moment === stage && count === 1 ? does[when] : undefined));
      await sendInTurn(letter('one'), letter('two'), letter('three'));
      const isOut = stage === 'dot';
      expect(said).toEqual([
        ...['one leaves', 'one: accepted'],
        ...(isOut ? ['two leaves'] : []),
        ...(outcome === '-' ? [] : [`two: ${kind}`]),
      ]);
      expect(names(smtp.handedOver)).toEqual(isOut ? ['one', 'two'] : ['one']);

      // whatever happened, the next one meets with a connection that is fit for it
      said = [];
      await sendInTurn(letter('four'));
      // who says nothing of a message is left alone, as after one that went by itself
      const isLeftAlone = when === 'silence' && isOut;
      expect(said).toEqual(isLeftAlone ? ['four: try again'] : ['four leaves', 'four: accepted']);
      expect(smtp.connections).toBe(isLeftAlone ? 1 : 2);
    },
  );

  it.each(['mail', 'rcpt', 'data'])('silence at %s, does not wait for long', async (stage) => {
    smtp.script((moment, { count }) => (moment === stage && count === 1 ? { hang: true } : undefined));
    const began = performance.now();
    await sendInTurn(letter('one'), letter('two'));
    expect(performance.now() - began).toBeLessThan(timeouts.silence / 2);
    expect(said).toEqual(['one leaves', 'one: accepted']);
  });
});

describe('a server that loses count', () => {
  /** It answers the first dot, and what it read behind it, with these. */
  async function answerWith(answers: string): Promise<void> {
    let count = 0;
    const odd = await startOdd(() => {
      count += 1;
      if (count > 2) said.push('the server got more');
      return ['250 ok\r\n250 ok\r\n354 go on\r\n', answers][count - 1] ?? '';
    });
    const others = [letter('two')];
    await odd.converse(letter('one'), () => others.shift());
  }

  it.each([
    ['and has only the end of a command', '500 what?\r\n503 MAIL first\r\n503 RCPT first\r\n'],
    ['and answers the dot twice', '250 taken\r\n250 ok\r\n250 ok\r\n354 go on\r\n'],
    ['and refuses the dot that it took', '500 what?\r\n250 ok\r\n250 ok\r\n354 go on\r\n'],
    ['and wants a message without a recipient', '250 ok\r\n550 nobody\r\n354 go on\r\n'],
    ['and says more than it was asked', '250 ok\r\n250 ok\r\n354 go on\r\n250 ok\r\n'],
  ])('%s, gets nothing of who was announced', async (_, answers) => {
    await answerWith(`250 taken\r\n${answers}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(said).toEqual(['one leaves', 'one: accepted']);
  });
});

describe('a connection whose letter', () => {
  const stays = { leaves: () => false };

  it.each<[string, Sending[]]>([
    ['in front', [letter('one', stays)]],
    ['behind', [letter('one'), letter('two', stays)]],
  ])(
    '%s does not leave after all is not used again, and the server has nothing of it',
    async (_, [first, ...rest]) => {
      said = [];
      await sendInTurn({ ...letter('one'), ...first } as Sending, ...rest);
      await until(async () => smtp.open === 0, 'the connection to be closed');
      expect(said).toEqual(rest.length > 0 ? ['one leaves', 'one: accepted'] : []);
      expect(names(smtp.handedOver)).toEqual(rest.length > 0 ? ['one'] : []);
      await sendInTurn(letter('three'));
      expect(said.slice(-2)).toEqual(['three leaves', 'three: accepted']);
      expect(smtp.connections).toBe(2);
    },
  );

  it.each(['leaves', 'came'] as const)('fails over %s is not used again', async (what) => {
    const fails = () => {
      throw new Error('a surprise');
    };
    await expect(sendInTurn(letter('one', { [what]: fails }), letter('two'))).rejects.toThrow('a surprise');
    await until(async () => smtp.open === 0, 'the connection to be closed');
    await sendInTurn(letter('three'));
    expect(names(smtp.accepted)).toEqual([...(what === 'came' ? ['one'] : []), 'three']);
    expect(smtp.connections).toBe(2);
  });
});
