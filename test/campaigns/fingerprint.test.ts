import { describe, expect, it } from '@jest/globals';
import { fingerprintKeyPlace, fingerprints, openFingerprintKey } from '../../src/campaigns/fingerprint.ts';
import { createVault } from '../../src/people/vault.ts';
import { plainMasterKeys } from '../support/keys.ts';

const keyed = (...versions: number[]) => createVault(plainMasterKeys(...versions));
const vault = keyed(1);
const campaign = (slug: string) => {
  const { wrapped, version } = vault.mintKey(fingerprintKeyPlace(slug));
  return { slug, fingerprint_key: wrapped, fingerprint_key_version: version };
};
const red = campaign('red');
const marks = (address: string, brands = [1, 2], of = red, by = vault) =>
  fingerprints(openFingerprintKey(by, of), address, brands).map((mark) => mark.toString('hex'));

describe('the mark by which a campaign knows that an address wrote to a brand', () => {
  it('is the same for the same mailbox and brand, in the order of the brands', () => {
    expect(marks('sok@mail.example')).toEqual(marks('Sok+News@MAIL.example'));
    expect(marks('sok@mail.example', [2, 1])).toEqual(marks('sok@mail.example').reverse());
    for (const mark of marks('sok@mail.example')) expect(mark).toMatch(/^[0-9a-f]{32}$/);
  });

  it('differs by brand and by mailbox, also where numbers and addresses run together', () => {
    const all = [
      ...marks('sok@mail.example'),
      ...marks('soka@mail.example'),
      ...marks('1sok@mail.example', [1, 11]),
    ];
    expect(new Set(all).size).toBe(6);
  });

  it("means nothing in another campaign, nor without this campaign's key", () => {
    const blue = campaign('blue');
    expect(new Set([...marks('sok@mail.example'), ...marks('sok@mail.example', [1, 2], blue)]).size).toBe(4);
    expect(() => openFingerprintKey(vault, { ...red, slug: 'blue' })).toThrow();
    expect(() => openFingerprintKey(keyed(2), red)).toThrow('APP_KEY lacks version 1');
  });

  it('stays the same when the master key is replaced', () => {
    const before = marks('sok@mail.example');
    expect(marks('sok@mail.example', [1, 2], red, keyed(2, 1))).toEqual(before);
  });
});
