import { describe, expect, it } from '@jest/globals';
import { readWording } from '../../src/campaigns/campaign.ts';
import { composeLetter, countryName } from '../../src/letters/compose.ts';
import { countryCodes } from '../../src/letters/submission.ts';
import type { Said } from '../../src/people/advocate.ts';

const wording = (language: string) =>
  readWording({
    id: 1,
    language,
    version: 1,
    sender: '{{#if name}}{{name}}{{else}}Somebody{{/if}} via Outspoken',
    subject: 'To {{brand}}',
    body: '{{brand}}|{{link}}|{{name}}|{{description}}|{{country}}|{{reasons}}|{{own_words}}',
    passages: {
      reasons: [{ key: 'pay', label: 'Pay', text: 'Pay.' }],
      lists: { first: { link: 'first list', ask: '' }, second: { link: 'second list', ask: '' } },
    },
  });
const compose = (said: Partial<Said>, language = 'en') =>
  composeLetter({
    wording: wording(language),
    brand: { name: 'Red & Söhne', lists: ['first', 'second'] },
    said: { reasons: [], ...said },
    handle: '0123456789abcdef0123',
    domain: 'outspoken.example',
  });

describe('a composed letter', () => {
  it("comes from the campaign's domain and is answered at the letter's alias", () => {
    expect(compose({})).toEqual({
      from: { name: 'Somebody via Outspoken', address: 'letters@outspoken.example' },
      replyTo: 'r.0123456789abcdef0123@outspoken.example',
      subject: 'To Red & Söhne',
      text: 'Red & Söhne|first list|||||',
      language: 'en',
    });
  });

  it('says what the person said, and the country by its name in the language of the letter', () => {
    const said = { name: 'Sok', country: 'KH', reasons: ['pay'], ownWords: 'Mine.' };
    expect(compose(said).text).toBe('Red & Söhne|first list|Sok||Cambodia|Pay.|Mine.');
    expect(compose(said).from.name).toBe('Sok via Outspoken');
    expect(compose(said, 'de').text).toContain('|Kambodscha|');
    expect(compose(said, 'km').text).toContain('|កម្ពុជា|');
  });
});

describe('a country', () => {
  it('has a name for every code that can be picked, and no code is shown for one', () => {
    expect(countryCodes.length).toBeGreaterThan(240);
    for (const code of countryCodes) expect(countryName(code, 'en')).not.toBe(code);
    expect(new Set(countryCodes.map((code) => countryName(code, 'en'))).size).toBe(countryCodes.length);
  });
});
