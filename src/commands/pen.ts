import { ExpectedError } from '../expected.ts';
import { dropPenned, listPen, penDays, readPenned } from '../inbound/pen.ts';
import { misused, readId } from './arguments.ts';
import type { Command } from './command.ts';

/** Mail that no rule could place, or that is for the people who run the instance. */
export const pen: Command = {
  usage: [
    '  npm run pen                what waits: id, time, reason and letter, no contents',
    '  npm run pen -- show ID     one mail as it came; it is a stranger’s, and may be personal',
    '  npm run pen -- drop ID     remove it',
  ].join('\n'),

  async run({ database, vault }, { args, say, print }) {
    const [what, ...rest] = args;
    const id = readId(rest[0]);
    if (what === undefined) {
      const mails = await listPen(database);
      for (const mail of mails) {
        const about = mail.letter_id ? `letter ${mail.letter_id}` : 'no letter';
        say(`${mail.id}  ${mail.received_at.toISOString()}  ${mail.reason}  (${about})`);
      }
      say(mails.length === 0 ? 'No mail waits.' : `Each is removed ${penDays} days after it came.`);
    } else if (what === 'show' && id && rest.length === 1) {
      const raw = await readPenned(database, vault, id);
      print(raw ?? missing(id));
    } else if (what === 'drop' && id && rest.length === 1) {
      if (!(await dropPenned(database, id))) missing(id);
      say(`Mail ${id} is removed.`);
    } else misused(this);
    return undefined;
  },
};

function missing(id: string): never {
  throw new ExpectedError(`There is no mail ${id} in the pen.`);
}
