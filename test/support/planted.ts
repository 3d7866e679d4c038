import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import libqp from 'libqp';

/** Where to look: a name for what was read, and its bytes. */
export type Place = { name: string; bytes: Buffer };
export type Find = { place: string; value: string; form: string };

/** Every place in which a value stands, in any form in which programs write text down. */
export function find(values: readonly string[], places: readonly Place[]): Find[] {
  const wanted = values.flatMap((value) => formsOf(value).map((form) => ({ value, ...form })));
  return places.flatMap(({ name, bytes }) => {
    const raw = bytes.toString('latin1');
    const texts = [raw, raw.replace(/=?\r?\n/g, '')]; // lines are broken anywhere in base64 and quoted-printable
    const lower = texts.map((text) => text.toLowerCase());
    return wanted
      .filter(({ needle, exact }) => (exact ? texts : lower).some((text) => text.includes(needle)))
      .map(({ value, form }) => ({ place: name, value, form }));
  });
}

type Form = { form: string; needle: string; exact: boolean };

/** `exact`: capitals matter, as in base64; everything else is also found in other capitals. */
function formsOf(value: string): Form[] {
  const bytes = Buffer.from(value, 'utf8');
  const loose = (form: string, text: string | Buffer): Form => ({
    form,
    needle: Buffer.from(text).toString('latin1').toLowerCase(),
    exact: false,
  });
  const escaped = [...value].map((one) => (one > '~' ? escapeForJson(one) : one)).join('');
  return [
    loose('UTF-8', bytes),
    loose('UTF-16', Buffer.from(value, 'utf16le')),
    loose('hex', bytes.toString('hex')),
    loose('quoted-printable', libqp.encode(bytes)),
    loose('a URL', encodeURIComponent(value)),
    loose('a form', new URLSearchParams({ value }).toString().slice('value='.length)),
    loose('JSON', escaped),
    ...base64Of(bytes).flatMap((text) =>
      [text, text.replaceAll('+', '-').replaceAll('/', '_')].map(
        (needle): Form => ({ form: 'base64', needle, exact: true }),
      ),
    ),
  ];
}

function escapeForJson(one: string): string {
  return [...Array(one.length).keys()]
    .map((n) => `\\u${one.charCodeAt(n).toString(16).padStart(4, '0')}`)
    .join('');
}

/** However many bytes stand before it: the middle that does not depend on what surrounds it. */
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    return text.slice(before === 0 ? 0 : before + 1, end);
  });
}

/** Every file below a folder. */
export async function readFiles(folder: string): Promise<Place[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const files = await Promise.all(
    // a file may go between the listing and the reading
    paths.map(async (path) => ({
      name: path.slice(folder.length),
      bytes: await readFile(path).catch(() => undefined),
    })),
  );
  return files.flatMap(({ name, bytes }) => (bytes ? [{ name, bytes }] : []));
}
