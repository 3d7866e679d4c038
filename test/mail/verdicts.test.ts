import { describe, expect, it } from '@jest/globals';
import { createMailer } from '../../src/mail/mailer.ts';
import type { Timeouts } from '../../src/mail/relay.ts';
import { type Action, type Moment, startSmtp } from '../support/smtp.ts';
import { makeAuthority } from '../support/tls.ts';
import { does, readVerdicts } from '../support/verdicts.ts';

/**
 * What is said of a letter when a mail server does the given thing at the given stage. `-`: there is no such
 * thing. `later`: try again; nothing was handed over, or the server asked for it.
 */
const table = `
  stage      FIN      RST      silence  421      4yz      5yz
  connect    later    later    later    later    later    later
  ehlo       later    later    later    later    later    later
  starttls   later    later    later    later    later    later
  handshake  later    later    later    -        -        -
  auth       later    later    later    later    later    later
  mail       later    later    later    later    later    refused
  rcpt       later    later    later    later    later    refused
  data       later    later    later    later    later    refused
  body       later    later    later    later    later    refused
  dot        unknown  unknown  unknown  later    later    refused
`;

const verdicts = readVerdicts(table).filter(({ outcome }) => outcome !== '-');

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');
const line = 'line of text\r\n';
/**
 * More than the kernel's socket buffers hold, so that a server which stops reading leaves bytes with us; and no more,
 * in whole lines: what it costs to prepare is time in which the tests beside it hear nothing.
 */
const huge = Buffer.concat([message, Buffer.alloc(line.length * 1024 * 1024, line)]);

/** Longer than a busy machine needs for what is not tried. */
const long: Timeouts = { connect: 110_000, greeting: 110_000, silence: 110_000 };

/** Only the wait that is tried is a short one. */
function timeoutsFor(stage: Moment, when: string): Timeouts {
  if (when !== 'silence') return long;
  if (['connect', 'handshake'].includes(stage)) return { ...long, connect: 5000 };
  return { ...long, [['ehlo', 'starttls', 'auth'].includes(stage) ? 'greeting' : 'silence']: 5000 };
}

const authority = makeAuthority();
const servers = [
  { how: 'in plain text', tls: false, implicit: false },
  { how: 'after STARTTLS', tls: true, implicit: false },
  { how: 'inside TLS', tls: true, implicit: true },
];
const certificate = authority.vouch('relay.example');

describe.each(servers)('a mail server that is spoken to $how', ({ tls, implicit }) => {
  const possible = verdicts.filter(
    ({ stage }) => (tls && !implicit) || !['starttls', 'handshake'].includes(stage),
  );

  describe.each([{ pipelining: true }, { pipelining: false }])(
    'with pipelining: $pipelining',
    ({ pipelining }) => {
      it.concurrent.each(possible)('at $stage, $when: $outcome', async ({ stage, when, kind }) => {
        const smtp = await startSmtp({
          pipelining,
          extensions: ['AUTH PLAIN'],
          ...(tls ? { certificate, implicitTls: implicit } : {}),
        });
        smtp.script((moment) => (moment === stage ? asDoneAt(stage, does[when] as Action) : undefined));
        // nobody vouches for the server, so what comes after TLS is reached only where that is allowed
        const early = ['starttls', 'handshake'].includes(stage);
        const url = smtp.url
          .replace('//', '//user:secret@')
          .replace('tls=optional', early ? 'tls=required' : 'tls=optional');
        const mailer = createMailer({ url, timeouts: timeoutsFor(stage, when) });
        try {
          const outcome = await mailer.send(envelope, stage === 'body' ? huge : message);
          expect(outcome.kind).toBe(kind);
          expect(outcome.code).toBe(/^\d/.test(when) ? codeOf(does[when] as Action) : undefined);
          expect(smtp.handedOver).toHaveLength(stage === 'dot' ? 1 : 0);
          expect(smtp.accepted).toEqual([]);
        } finally {
          await mailer.close();
          await smtp.close();
        }
      });
    },
  );
});

/** Who refuses in mid-body hangs up as well: nothing else would stop the flood. */
const asDoneAt = (stage: Moment, action: Action): Action =>
  stage === 'body' && 'reply' in action ? { reply: action.reply, hangUp: true } : action;

const codeOf = (action: Action) => ('reply' in action ? Number(action.reply.slice(0, 3)) : undefined);
