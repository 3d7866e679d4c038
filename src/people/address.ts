import { domainToASCII } from 'node:url';

const longest = 254;

/**
 * An e-mail address as it is written to: trimmed, its domain in lower-case ASCII (IDNA). Undefined when mail
 * cannot be sent there: quoted local parts, address literals and non-ASCII mailboxes (RFC 6531) are not
 * supported. Lengths are those of RFC 5321 section 4.5.3.1.
 */
export function readAddress(typed: string): string | undefined {
  const text = typed.trim();
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  const domain = at > 0 ? asciiDomain(text.slice(at + 1)) : '';
  if (
    !/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local) ||
    local.length > 64
  ) {
    return undefined;
  }
  if (!/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/.test(domain))
    return undefined;
  return local.length + domain.length + 1 <= longest ? `${local}@${domain}` : undefined;
}

/** A domain in lower-case ASCII (IDNA), as it stands in DNS; empty when it can be none. */
export function asciiDomain(host: string): string {
  // what ends or escapes a host name in a URL would be dropped in silence; to write a long one in ASCII takes seconds
  const isHost = host.length <= longest && !/[\s%/?#\\]/.test(host);
  return isHost ? domainToASCII(host).toLowerCase() : '';
}

/**
 * The mailbox that an address very probably means, for telling "the same address" and for caps: capitals
 * and a "+tag" (RFC 5233) do not make another person.
 */
export function sameMailbox(address: string): string {
  const [local = '', domain = ''] = address.toLowerCase().split('@');
  return `${local.replace(/(?<=.)\+.*$/, '')}@${domain}`;
}

/**
 * Signs that large mail services overlook in the name of a mailbox, of which nobody else can have another spelling
 * (https://support.google.com/mail/answer/7436150, https://proton.me/support/change-username).
 */
const overlooked = new Map([
  ['gmail.com', /\./g],
  ['googlemail.com', /\./g],
  ['proton.me', /[._-]/g],
  ['protonmail.com', /[._-]/g],
  ['protonmail.ch', /[._-]/g],
  ['pm.me', /[._-]/g],
]);

/**
 * The mailbox that an address means at its mail service: for the cap on mails that nobody asked for, since one with a
 * hundred spellings would get two mails a day for each. Elsewhere the spellings may be two people, and a cap that they
 * shared would tell each of them whether the other one writes.
 */
export function looseMailbox(address: string, services: ReadonlyMap<string, RegExp> = overlooked): string {
  const [local = '', domain = ''] = sameMailbox(address).split('@');
  const signs = services.get(domain);
  return signs ? `${local.replace(signs, '')}@${domain}` : `${local}@${domain}`;
}

/** Enough of an address for its owner to notice a typing error, too little for anyone else. */
export function maskAddress(address: string): string {
  const [local = '', domain = ''] = address.split('@');
  return `${local.slice(0, local.length > 3 ? 2 : 1)}•••@${domain}`;
}
