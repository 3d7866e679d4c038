import { describe, expect, it } from '@jest/globals';
import libqp from 'libqp';
import { find } from '../support/planted.ts';
import { planted } from './life.ts';

describe('the search', () => {
  it.each([
    ['as it is', (text: string) => text],
    ['in capitals', (text: string) => text.toUpperCase()],
    ['in quoted-printable lines', (text: string) => libqp.wrap(libqp.encode(text), 30)],
    ['in base64 lines', (text: string) => Buffer.from(text).toString('base64').replace(/.{10}/g, '$&\r\n')],
    ['in hex', (text: string) => Buffer.from(text).toString('hex')],
    ['in base64', (text: string) => Buffer.from(text).toString('base64')],
    ['in base64, after one byte', (text: string) => Buffer.from(`x${text}y`).toString('base64')],
    ['in base64, after two bytes', (text: string) => Buffer.from(`xx${text}`).toString('base64url')],
    ['in a URL', (text: string) => encodeURIComponent(text)],
    ['in a form', (text: string) => new URLSearchParams({ a: text }).toString()],
    [
      'in JSON, escaped',
      (text: string) =>
        JSON.stringify(text).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    ],
    ['in UTF-16', (text: string) => Buffer.from(text, 'utf16le')],
  ])('finds a value %s', (_how, write) => {
    for (const value of [planted.name, planted.khmerWords, planted.address]) {
      const bytes = Buffer.concat([
        Buffer.from('\0before '),
        Buffer.from(write(value)),
        Buffer.from(' after'),
      ]);
      expect(find([value], [{ name: 'here', bytes }])).not.toEqual([]);
      expect(find(['somebody else'], [{ name: 'here', bytes }])).toEqual([]);
    }
  });
});
