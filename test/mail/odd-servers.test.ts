import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { patience } from '../../src/mail/relay.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');

type Odd = {
  /** What it says to EHLO; every line without its end. */
  offers?: string[];
  /** How it answers a command, by its verb, and the message (`.`); what is missing is answered as usual. */
  says?: Record<string, (socket: Socket) => void>;
};

/** All that came, in the pieces in which the server read it. */
let heard: string[] = [];
let connections = 0;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that can be odd to the byte, which one that keeps to the rules cannot. */
async function startOdd({
  offers = ['250-mx.brand.example', '250 PIPELINING'],
  says = {},
}: Odd): Promise<Mailer> {
  heard = [];
  connections = 0;
  const usual: Record<string, string> = {
    EHLO: offers.join('\r\n'),
    DATA: '354 go on',
    '.': '250 2.0.0 taken',
    QUIT: '221 bye',
  };
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    let rest = '';
    let inData = false;
    const answer = (verb: string) => {
      const odd = says[verb];
      if (odd) odd(socket);
      else socket.write(`${usual[verb] ?? '250 ok'}\r\n`);
      inData = verb === 'DATA';
    };
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard.push(chunk.toString('latin1'));
      rest += chunk.toString('latin1');
      for (;;) {
        const end = rest.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const line = rest.slice(0, end);
        rest = rest.slice(end + (inData ? 5 : 2));
        answer(inData ? '.' : line.slice(0, 4).toUpperCase());
      }
    });
    closing.push(() => socket.destroy());
    socket.write('220 mx.brand.example ESMTP\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  const timeouts = { ...patience, silence: 10_000 };
  const mailer = createMailer({ url: `smtp://127.0.0.1:${address.port}?tls=off`, connections: 1, timeouts });
  closing.push(() => mailer.close());
  return mailer;
}

const say = (text: string) => (socket: Socket) => void socket.write(text, 'latin1');
/** One byte at a time, as a slow network might bring them. */
const dribble = (text: string) => async (socket: Socket) => {
  for (const byte of Buffer.from(text)) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

describe('a server that offers PIPELINING', () => {
  it('is told MAIL, RCPT and DATA in one piece, and the message in another', async () => {
    const mailer = await startOdd({});
    await mailer.send(envelope, message);
    expect(heard.filter((piece) => !piece.startsWith('EHLO'))).toEqual([
      `MAIL FROM:<${envelope.from}>\r\nRCPT TO:<${envelope.to}>\r\nDATA\r\n`,
      `${message.toString()}.\r\n`,
    ]);
  });

  it('may answer all three in one piece', async () => {
    const mailer = await startOdd({
      says: { MAIL: say(''), RCPT: say(''), DATA: say('250 ok\r\n250 ok\r\n354 go on\r\n') },
    });
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
  });

  it('which wants the message although it refused the recipient gets none, not even an empty one', async () => {
    const mailer = await startOdd({ says: { RCPT: say('550 5.1.1 no such user\r\n') } });
    expect(await mailer.send(envelope, message)).toMatchObject({ kind: 'refused', code: 550 });
    expect(heard.join('')).not.toMatch(/^\.\r\n|Hello/m);
    await mailer.send(envelope, message);
    expect(connections).toBe(2);
  });

  it('which closes after it refused has still refused', async () => {
    const mailer = await startOdd({ says: { MAIL: (socket) => socket.end('554 5.7.1 not from you\r\n') } });
    expect(await mailer.send(envelope, message)).toMatchObject({ kind: 'refused', code: 554, stage: 'mail' });
  });
});

describe('a server that offers no PIPELINING', () => {
  it('is told one command at a time', async () => {
    const mailer = await startOdd({ offers: ['250 mx.brand.example'] });
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(heard.slice(1, 4)).toEqual([
      `MAIL FROM:<${envelope.from}>\r\n`,
      `RCPT TO:<${envelope.to}>\r\n`,
      'DATA\r\n',
    ]);
  });
});

describe('a reply', () => {
  it('may come byte by byte, in several lines, with letters beyond ASCII', async () => {
    const mailer = await startOdd({ says: { '.': dribble('250-2.0.0 អរគុណ\r\n250 2.0.0 thank you\r\n') } });
    expect(await mailer.send(envelope, message)).toEqual({
      kind: 'accepted',
      code: 250,
      host: 'mx.brand.example',
      response: '250-2.0.0 អរគុណ 250 2.0.0 thank you',
    });
  });

  it('that is not UTF-8 is kept byte for byte', async () => {
    const mailer = await startOdd({ says: { '.': say('250 merci à vous\r\n') } });
    expect((await mailer.send(envelope, message)).response).toBe('250 merci à vous');
  });

  it('that ends with a bare LF is a reply', async () => {
    const mailer = await startOdd({ says: { '.': say('250 ok\n') } });
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
  });

  it('whose end never came counts if it refuses, since then the server hung up on purpose', async () => {
    const mailer = await startOdd({ says: { '.': (socket) => socket.end('554 5.7.1 spam') } });
    expect(await mailer.send(envelope, message)).toMatchObject({ kind: 'refused', code: 554 });
  });

  it('whose end never came counts for nothing if it accepts', async () => {
    const mailer = await startOdd({ says: { '.': (socket) => socket.end('250 o') } });
    expect(await mailer.send(envelope, message)).toMatchObject({ kind: 'unknown', stage: 'message' });
  });

  it.each([
    ['no code', 'what?\r\n'],
    ['a code of four digits', '2500 ok\r\n'],
    ['a 3yz where there is nothing more to say', '354 go on\r\n'],
  ])('to the message with %s leaves it unknown', async (_what, reply) => {
    const mailer = await startOdd({ says: { '.': say(reply) } });
    expect((await mailer.send(envelope, message)).kind).toBe('unknown');
  });

  it('without an end gets no more memory than a reply needs', async () => {
    const endless = (socket: Socket) => {
      const more = () => {
        while (socket.write('250-and another thing\r\n'.repeat(100)));
        socket.once('drain', more);
      };
      more();
    };
    const mailer = await startOdd({ says: { MAIL: endless } });
    expect(await mailer.send(envelope, message)).toMatchObject({ kind: 'try again', stage: 'mail' });
  });

  it('that nobody asked for ends the connection, and the next message takes another', async () => {
    const mailer = await startOdd({ says: { '.': say('250 ok\r\n421 4.3.2 closing\r\n') } });
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(connections).toBe(2);
  });
});

describe('a message', () => {
  it('longer than the server takes is not even announced', async () => {
    const mailer = await startOdd({ offers: ['250-mx.brand.example', '250 SIZE 20'] });
    expect((await mailer.send(envelope, message)).kind).toBe('refused');
    expect(heard.join('')).not.toContain('MAIL');
  });

  it.each([
    ['a line break', 'brand@hm.example>\r\nRCPT TO:<other@hm.example'],
    ['a bracket', 'brand@hm.example> SIZE=1'],
    ['a space', 'brand @hm.example'],
    ['a letter beyond ASCII', 'brand@hém.example'],
    ['nothing', ''],
  ])('to an address with %s is refused by us', async (_what, to) => {
    const mailer = await startOdd({});
    expect((await mailer.send({ ...envelope, to }, message)).kind).toBe('refused');
    expect(heard.join('')).not.toContain('MAIL');
  });
});
