import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { liftHold, startHold } from '../../src/hold/hold.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { putInto, type Writer, writeMany } from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
let writer: Writer;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
  [writer] = (await writeMany(instance, { people: 1, brands: ['hm'] })) as [Writer];
});
afterAll(() => instance.close());
afterEach(async () => {
  await instance.query("update campaign set state = 'open'");
  await instance.query("update contact set health = 'good', kind = 'email'");
});

const receipt = async () => wordsOf(await instance.visitor().get(writer.receipt));

describe('the receipt of a letter that waits', () => {
  it('says that it waits its turn, when nothing else keeps it', async () => {
    expect(await receipt()).toContain('Waits its turn Read your copy');
  });

  it.each([
    ['the campaign is paused', "update campaign set state = 'paused'", 'Waits: the campaign is paused'],
    [
      'letters to the brand did not get through',
      "update contact set health = 'suspended'",
      'Waits until a person has checked this brand’s address',
    ],
    [
      'the brand takes letters through a form only',
      "update contact set kind = 'form'",
      'Waits: we have no mail address for this brand',
    ],
  ])('says so when %s', async (_why, change, words) => {
    await instance.query(change);
    expect(await receipt()).toContain(words);
    expect(await receipt()).not.toContain('Waits its turn');
  });
});

describe('the receipt while sending is on hold', () => {
  const paused = 'Waits: sending is paused on our side';

  it.each(['ready', 'queued', 'deferred'])('says so of a letter that is %s', async (state) => {
    const { database } = instance.context;
    const [one] = (await writeMany(instance, { people: 1, brands: ['hm'] })) as [Writer];
    await putInto(instance, one, state);
    const words = async () => wordsOf(await instance.visitor().get(one.receipt));
    expect(await words()).not.toContain(paused);
    await startHold(database, 'asked');
    expect(await words()).toContain(paused);
    await liftHold(database, 0);
  });

  it.each(['sending', 'accepted', 'unknown', 'cancelled'])(
    'says nothing of it of one that is %s: nothing holds that',
    async (state) => {
      const { database } = instance.context;
      const [one] = (await writeMany(instance, { people: 1, brands: ['hm'] })) as [Writer];
      await putInto(instance, one, state);
      const words = async () => wordsOf(await instance.visitor().get(one.receipt));
      const before = await words();
      await startHold(database, 'asked');
      expect(await words()).toBe(before);
      await liftHold(database, 0);
    },
  );
});

describe('the first line of the receipt', () => {
  it('speaks of one letter as of one', async () => {
    expect(await receipt()).toContain('Your letter has not been accepted yet');
  });

  it('promises nothing of letters that were taken back, and does not call them failed', async () => {
    const [other] = (await writeMany(instance, { people: 1, brands: ['hm', 'nike'] })) as [Writer];
    const visitor = instance.visitor();
    expect(wordsOf(await visitor.get(other.receipt))).toContain(
      'None of your 2 letters has been accepted yet',
    );
    await visitor.post(`${other.receipt}/cancel`);
    const page = await visitor.get(other.receipt);
    expect(wordsOf(page)).toContain('None of your 2 letters stands as accepted: see below');
    expect(page.html.match(/class="letter stopped"/g)).toHaveLength(2);
    expect(wordsOf(page)).toContain('not sent');
    expect(wordsOf(page)).not.toContain('not delivered');
  });
});
