import type { Context } from '../src/context.ts';
import { createSigner, readSigningKey } from '../src/mail/dkim.ts';
import { createMailer, type Mailer } from '../src/mail/mailer.ts';
import { guardRecipients } from '../src/mail/recipients.ts';
import { lettersInTheAir } from './send-bundle.ts';
import { noticesAtOnce } from './send-notice.ts';
import { repliesAtOnce } from './send-reply.ts';

/**
 * One mailer for all that a worker sends, since what a relay allows holds for letters and notices together.
 *
 * @throws ExpectedError when mail is to be signed with a key that will not do
 */
export async function openMailer({ config, smtpUrl, log }: Context): Promise<Mailer> {
  const { dkim } = config;
  return createMailer({
    url: smtpUrl as string,
    name: config.mailDomain,
    guard: guardRecipients(config.mailRecipients),
    sign: dkim && createSigner(await readSigningKey(dkim.keyFile), dkim.selector),
    connections: lettersInTheAir + noticesAtOnce + repliesAtOnce,
    log,
  });
}
