import { liftSuspensions, listSuspended } from '../brands/contact-health.ts';
import { ExpectedError } from '../expected.ts';
import { misused, readId } from './arguments.ts';
import type { Command } from './command.ts';

/** Contacts whose letters wait, since too many of them came back or were refused. */
export const contacts: Command = {
  usage: [
    '  npm run contacts               the suspended ones: id, brand, since when, letters that wait',
    '  npm run contacts -- lift ID    let its letters go again, once its address was checked',
    '  npm run contacts -- lift all   let all letters go again, once the relay that refused them was mended',
  ].join('\n'),

  async run({ database, hint }, { args, say }) {
    const [what, ...rest] = args;
    const id = rest[0] === 'all' ? 'all' : readId(rest[0]);
    if (what === undefined) {
      const suspended = await listSuspended(database);
      for (const contact of suspended) {
        const since = contact.suspended_at ? `since ${contact.suspended_at.toISOString()}, ` : '';
        const refused = contact.refusals > 0 ? `${contact.refusals} were refused in a row, ` : '';
        const came = contact.failures > 0 || refused === '' ? `${contact.failures} came back in a row, ` : '';
        say(`${contact.id}  ${contact.brand}  ${since}${came}${refused}${contact.waiting} wait`);
      }
      if (suspended.length === 0) say('No contact is suspended.');
    } else if (what === 'lift' && id && rest.length === 1) {
      const lifted = await liftSuspensions(database, id);
      if (lifted === 0) {
        const which = id === 'all' ? 'No contact is suspended' : `Contact ${id} is not suspended`;
        throw new ExpectedError(`${which}. Nothing was changed.`);
      }
      hint();
      say(
        id === 'all'
          ? `Contacts that are good again: ${lifted}. Their letters go at their pace.`
          : `Contact ${id} is good again; its letters go at its pace.`,
      );
    } else misused(this);
    return undefined;
  },
};
