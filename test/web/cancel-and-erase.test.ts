import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { contacts } from '../../src/commands/contacts.ts';
import {
  confirmationLink,
  lettersOn,
  mailFor,
  timelineOn,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { runHere } from '../support/commands.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { type Visitor, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

/** Letters to these brands wait, the others go. */
const hold = (...brands: string[]) =>
  instance.query(
    `update contact set health = (case when slug = any ($1::text[]) then 'suspended' else 'good' end)::contact_health
     from brand where brand.id = brand_id`,
    [brands],
  );

let count = 0;
let email: string;
let visitor: Visitor;
beforeEach(() => {
  count += 1;
  email = `writer${count}@mail.example`;
  visitor = instance.visitor();
});

const states = async (receipt: string) =>
  lettersOn(await visitor.get(receipt)).map(({ brand, state }) => `${brand} ${state}`);

/** Presses a button of the receipt: its form with another action. */
async function press(receipt: string, action: string) {
  const { fields } = formOn(await visitor.get(receipt), `${receipt}/cancel`);
  return visitor.get((await visitor.post(action, fields)).location);
}

const arrivedAt = async (brand: string) => (await mailFor(instance, `human-rights@${brand}.example`)).length;

describe('a letter that waits', () => {
  it('can be taken back, and is never sent', async () => {
    await hold('puma', 'pvh');
    const receipt = await writeAndConfirm(instance, visitor, { email, brand: ['puma', 'pvh'] });
    const [puma] = lettersOn(await visitor.get(receipt));
    const page = await press(receipt, `${receipt}/letters/${puma?.handle}/cancel`);
    expect(wordsOf(page)).toContain('One letter was cancelled.');
    expect(await states(receipt)).toEqual(['puma cancelled', 'pvh ready']);
    const twice = await press(receipt, `${receipt}/letters/${puma?.handle}/cancel`); // as a double click does
    expect(wordsOf(twice)).toContain('Nothing was left to cancel. See below what became of each letter.');
    expect(timelineOn(page, 'puma').at(-1)?.type).toBe('cancelled');
    expect((await runHere(instance, contacts)).out).toMatch(/ puma .* 0 wait\n(.*\n)*.* pvh .* 1 wait\n/);
    await hold();
    await until(async () => (await states(receipt)).includes('pvh accepted'));
    expect(await states(receipt)).toEqual(['puma cancelled', 'pvh accepted']);
    expect(await arrivedAt('puma')).toBe(0);
  });

  it('is taken back together with all others that wait', async () => {
    await hold('vf', 'gap');
    const receipt = await writeAndConfirm(instance, visitor, { email, brand: ['hm', 'vf', 'gap'] });
    await until(async () => (await states(receipt)).includes('hm accepted'));
    const page = await press(receipt, `${receipt}/cancel`);
    expect(wordsOf(page)).toContain('2 letters were cancelled.');
    expect(await states(receipt)).toEqual(['hm accepted', 'gap cancelled', 'vf cancelled']);
    expect(page.html).not.toContain('Cancel all that still wait');
  });

  it('can be written anew after it was taken back', async () => {
    const brand = ['primark', 'tchibo'];
    await hold(...brand);
    const receipt = await writeAndConfirm(instance, visitor, { email, brand });
    await press(receipt, `${receipt}/cancel`);
    await hold();
    const anew = await writeAndConfirm(instance, visitor, { email, brand });
    await until(async () => (await states(anew)).every((state) => state.endsWith(' accepted')));
    expect(await Promise.all(brand.map(arrivedAt))).toEqual([1, 1]);
  });

  it('is not taken back by opening an address', async () => {
    await hold('adidas');
    const receipt = await writeAndConfirm(instance, visitor, { email, brand: ['adidas'] });
    expect((await visitor.get(`${receipt}/cancel`)).status).toBe(404);
    await visitor.get(`${receipt}/erase`);
    expect(await states(receipt)).toEqual(['adidas ready']);
  });
});

describe('a letter that was sent', () => {
  it('cannot be taken back, and the page says so', async () => {
    await hold();
    const receipt = await writeAndConfirm(instance, visitor, { email, brand: ['nike'] });
    await until(async () => (await states(receipt)).includes('nike accepted'));
    const page = await press(receipt, `${receipt}/cancel`);
    expect(wordsOf(page)).toContain('Nothing was left to cancel');
    expect(await states(receipt)).toEqual(['nike accepted']);
  });
});

describe('erasing', () => {
  it('asks first, says what cannot be undone, and then leaves nothing of the person', async () => {
    await hold('asics');
    const receipt = await writeAndConfirm(instance, visitor, {
      email,
      brand: ['hm', 'asics'],
      identity: 'named',
      name: 'Planted Name',
      words: 'Planted words.',
    });
    await until(async () => (await states(receipt)).includes('hm accepted'));
    const { handle } = lettersOn(await visitor.get(receipt))[0] ?? {};
    const ask = await visitor.get(`${receipt}/erase`);
    expect(wordsOf(ask)).toContain('One letter still waits; it will not be sent.');
    expect(wordsOf(ask)).toContain('Letters that were handed over cannot be called back.');
    expect(await states(receipt)).toEqual(['hm accepted', 'asics ready']);

    const before = await people();
    const erased = await visitor.post(`${receipt}/erase`, formOn(ask, `${receipt}/erase`).fields);
    expect([erased.status, erased.location]).toEqual([303, '/erased']);
    expect(wordsOf(await visitor.get('/erased'))).toContain('Your data is erased');
    expect(await people()).toBe(before - 1);
    expect(await instance.query('select 1 from letter where message_id like $1', [`${handle}%`])).toEqual([]);

    for (const path of [receipt, `${receipt}/erase`, `${receipt}/letters/${handle}`]) {
      const gone = await visitor.get(path);
      expect(gone.status).toBe(404);
      expect(wordsOf(gone)).toContain('There is nothing here');
    }
    expect((await visitor.post(`${receipt}/erase`)).status).toBe(404);
    expect((await visitor.post(`${receipt}/cancel`)).status).toBe(404);
    const asics = await arrivedAt('asics');
    await hold();
    await writeAndConfirm(instance, visitor, { email: `after-${email}`, brand: ['asics'] });
    await until(async () => (await arrivedAt('asics')) > asics);
    expect(await arrivedAt('asics')).toBe(asics + 1);
  });

  it('says what stays, and of a mark only where a letter may have left', async () => {
    await hold('nike', 'gap');
    const waiting = await writeAndConfirm(instance, visitor, {
      email: `other-${email}`,
      brand: ['nike', 'gap'],
    });
    const mark = 'there is also a mark';
    const asked = async (receipt: string) => wordsOf(await visitor.get(`${receipt}/erase`));
    expect(await asked(waiting)).toContain('What stays is numbers');
    expect(await asked(waiting)).not.toContain(mark);
    await press(waiting, `${waiting}/cancel`);
    expect(await asked(waiting)).not.toContain(mark);
    expect(await asked(waiting)).not.toContain('cannot be called back');
    const brand = ['hm'];
    const sent = await writeAndConfirm(instance, visitor, { email, brand });
    await until(async () => (await states(sent)).includes('hm accepted'));
    expect(await asked(sent)).toContain(mark);
    expect(await asked(await writeAndConfirm(instance, visitor, { email, brand }))).toContain(mark);
  });

  it('also ends the link of the mail and the page that waits for it', async () => {
    const waiting = await writeLetters(visitor, { email, brand: ['hm'] });
    const link = await confirmationLink(instance, email);
    const receipt = (await visitor.post(link)).location;
    await visitor.post(`${receipt}/erase`);
    expect((await visitor.get(link)).status).toBe(404);
    expect((await visitor.post(link)).status).toBe(404);
    expect((await visitor.get(waiting)).status).toBe(404);
  });

  describe('letters that nobody has confirmed', () => {
    const mine = (id: string) =>
      instance.query<{ state: string; message_id: string | null }>(
        'select state::text, message_id from letter where id > $1 order by id',
        [id],
      );
    const newest = async () =>
      (await instance.query<{ id: string }>('select max(id)::text as id from letter'))[0]?.id ?? '0';
    /** Goes from a page over its link to the question, and says yes. */
    const eraseFrom = async (page: string) => {
      expect((await visitor.get(page)).html).toContain(`href="${page}/erase"`);
      const ask = await visitor.get(`${page}/erase`);
      expect(wordsOf(ask)).toContain('No brand has got');
      expect(ask.html).toContain(`href="${page}"`); // the way back
      return visitor.post(`${page}/erase`, formOn(ask, `${page}/erase`).fields);
    };

    it.each([
      ['the page after the form', 'open'],
      ['the link in the mail', 'open'],
      ['the link in the mail', 'paused'],
    ])('are erased from %s while the campaign is %s', async (from, state) => {
      const [last, before] = [await newest(), await people()];
      const waiting = await writeLetters(visitor, { email, brand: ['hm', 'gap'] });
      const link = await confirmationLink(instance, email);
      await instance.query('update campaign set state = $1', [state]);
      const erased = await eraseFrom(from === 'the link in the mail' ? link : waiting).finally(() =>
        instance.query("update campaign set state = 'open'"),
      );
      expect([erased.status, erased.location]).toEqual([303, '/erased']);
      expect(await people()).toBe(before);
      const row = { state: 'cancelled', message_id: null };
      expect(await mine(last)).toEqual([row, row]);
      for (const page of [waiting, link, `${waiting}/erase`]) {
        expect((await visitor.get(page)).status).toBe(404);
      }
      for (const again of [waiting, link]) {
        // a second click leads to where nothing is any more
        const gone = await visitor.get((await visitor.post(`${again}/erase`)).location);
        expect((await visitor.get(gone.location || again)).status).toBe(404);
      }
      expect((await visitor.post(link)).status).toBe(404);
    });

    it('are not erased by opening an address, as scanners do', async () => {
      const waiting = await writeLetters(visitor, { email, brand: ['hm'] });
      const link = await confirmationLink(instance, email);
      await visitor.get(`${link}/erase`);
      await visitor.get(`${waiting}/erase`);
      expect((await visitor.post(link)).status).toBe(303);
    });

    it('are asked about with all that there is where they have been confirmed meanwhile', async () => {
      await hold('vf');
      const waiting = await writeLetters(visitor, { email, brand: ['vf'] });
      const link = await confirmationLink(instance, email);
      const receipt = (await visitor.post(link)).location;
      expect((await visitor.post(`${waiting}/erase`)).location).toBe(`${waiting}/erase`);
      expect((await visitor.get(`${waiting}/erase`)).location).toBe(waiting);
      expect((await visitor.post(`${link}/erase`)).location).toBe(`${link}/erase`);
      expect((await visitor.get(`${link}/erase`)).location).toBe(`${receipt}/erase`);
      expect(await states(receipt)).toEqual(['vf ready']);
    });

    it('leave the letters of the same mailbox that were sent, and their marks, as they are', async () => {
      await hold();
      const sent = await writeAndConfirm(instance, visitor, { email, brand: ['puma'] });
      await until(async () => (await states(sent)).includes('puma accepted'));
      const unconfirmed = await writeLetters(visitor, { email, brand: ['puma'] });
      await confirmationLink(instance, email, 2);
      await eraseFrom(unconfirmed);
      expect(await states(sent)).toEqual(['puma accepted']);
      await instance.query('delete from confirmation_cap'); // two mails a day
      const again = await writeAndConfirm(instance, visitor, { email, brand: ['puma'] });
      expect(await states(again)).toEqual(['puma cancelled']);
    });
  });

  it('keeps that a letter was sent, so that the same brand does not get a second one', async () => {
    await hold();
    const receipt = await writeAndConfirm(instance, visitor, { email, brand: ['tchibo'] });
    await until(async () => (await states(receipt)).includes('tchibo accepted'));
    await visitor.post(`${receipt}/erase`);
    const again = await writeAndConfirm(instance, visitor, { email, brand: ['tchibo'] });
    expect(await states(again)).toEqual(['tchibo cancelled']);
    expect(wordsOf(await visitor.get(again))).toContain('already written to this brand');
  });
});

const people = async () =>
  (await instance.query<{ n: number }>('select count(*)::int as n from advocate'))[0]?.n ?? 0;
