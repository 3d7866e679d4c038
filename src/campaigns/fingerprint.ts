import { sameMailbox } from '../people/address.ts';
import { keyedHash, type Place, type Vault } from '../people/vault.ts';
import type { Campaign } from './campaign.ts';

/** Where a campaign's fingerprint key is stored. The slug names the row and never changes. */
export function fingerprintKeyPlace(slug: string): Place {
  return { table: 'campaign', column: 'fingerprint_key', row: slug };
}

/**
 * How a campaign recognises that an address already wrote to a brand: an HMAC under the campaign's own key.
 * With the key destroyed at the campaign's end, the fingerprints mean nothing to anyone.
 *
 * @returns 16 bytes per brand
 * @throws Error when the campaign's key is gone
 */
export function fingerprints(vault: Vault, campaign: Campaign, address: string, brandIds: readonly number[]): Buffer[] {
  if (!campaign.fingerprintKey) throw new Error(`campaign ${campaign.id} has no fingerprint key any more`);
  const key = vault.unwrapKey(campaign.fingerprintKey, fingerprintKeyPlace(campaign.slug));
  const mailbox = sameMailbox(address);
  return brandIds.map((brandId) => keyedHash(key, `${brandId} ${mailbox}`, 16));
}
