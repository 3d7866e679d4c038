import { sameMailbox } from '../people/address.ts';
import { keyedHash, type Place, type Vault, type WrappedKey } from '../people/vault.ts';

/** Where a campaign's fingerprint key is stored. The slug names the row and never changes. */
export function fingerprintKeyPlace(slug: string): Place {
  return { table: 'campaign', column: 'fingerprint_key', row: slug };
}

/**
 * How a campaign recognises that an address already wrote to a brand: an HMAC under the campaign's own key.
 * With the key destroyed at the campaign's end, the fingerprints mean nothing to anyone.
 *
 * @returns 16 bytes per brand
 */
export function fingerprints(
  vault: Vault,
  campaign: { slug: string; key: WrappedKey },
  address: string,
  brandIds: readonly number[],
): Buffer[] {
  const key = vault.unwrapKey(campaign.key, fingerprintKeyPlace(campaign.slug));
  const mailbox = sameMailbox(address);
  return brandIds.map((brandId) => keyedHash(key, `${brandId} ${mailbox}`, 16));
}
