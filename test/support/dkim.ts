import { spawn } from 'node:child_process';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The TXT record that stands in DNS for a key (RFC 6376 section 3.6.1). */
export function recordOf(key: KeyObject): string {
  const bytes = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return `v=DKIM1; k=rsa; p=${bytes.toString('base64')}`;
}

// dkimpy asks for the record by name; it is told it here, for the one name where it should look
const verifier = `
import base64, json, sys, dkim
asked = json.load(sys.stdin)
def lookup(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return asked['record'].encode() if name.rstrip('.') == asked['name'] else None
def holds(message):
    try:
        return dkim.verify(base64.b64decode(message), dnsfunc=lookup, minkey=2048)
    except dkim.DKIMException:
        return False
print(json.dumps([holds(message) for message in asked['messages']]))`;

type Published = { name: string; record: string };

/**
 * Whether dkimpy (Debian: python3-dkim), which has nothing in common with us, finds a good signature on each
 * message.
 *
 * @param dkimverify its program; its first line says which Python has the library
 */
export async function verify(
  dkimverify: string,
  published: Published,
  messages: readonly Buffer[],
): Promise<boolean[]> {
  const python = /^#!\s*(\S+)/.exec(readFileSync(dkimverify, 'utf8'))?.[1] as string;
  const child = spawn(python, ['-c', verifier], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.stdin.end(
    JSON.stringify({ ...published, messages: messages.map((message) => message.toString('base64')) }),
  );
  await ended;
  return JSON.parse(said) as boolean[];
}
