import type { KeyObject } from 'node:crypto';
import { sameMailbox } from '../people/address.ts';
import { keyedHash, type Place, type Vault } from '../people/vault.ts';

/** Where a campaign's fingerprint key is stored. The slug names the row and never changes. */
export function fingerprintKeyPlace(slug: string): Place {
  return { table: 'campaign', column: 'fingerprint_key', row: slug };
}

/** @throws Error when `APP_KEY` lacks the version that wrapped it, or the bytes were altered */
export function openFingerprintKey(
  vault: Vault,
  campaign: { slug: string; fingerprint_key: Buffer; fingerprint_key_version: number },
): KeyObject {
  const { slug, fingerprint_key: wrapped, fingerprint_key_version: version } = campaign;
  return vault.unwrapKey({ wrapped, version }, fingerprintKeyPlace(slug));
}

/**
 * How a campaign recognises that an address already wrote to a brand: an HMAC under the campaign's own key.
 * With the key destroyed at the campaign's end, the fingerprints mean nothing to anyone.
 *
 * @returns 16 bytes per brand
 */
export function fingerprints(key: KeyObject, address: string, brandIds: readonly number[]): Buffer[] {
  const mailbox = sameMailbox(address);
  return brandIds.map((brandId) => keyedHash(key, `${brandId} ${mailbox}`, 16));
}
