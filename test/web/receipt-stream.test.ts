import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { hashToken } from '../../src/people/token.ts';
import { lettersOn, until, writeAndConfirm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { openStream, type Stream } from '../support/stream.ts';
import type { Page } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

const opened: Stream[] = [];
afterEach(() => {
  for (const stream of opened.splice(0)) stream.close();
});

async function listen(receipt: string, headers = {}): Promise<Stream> {
  const stream = await openStream(`${instance.url}${receipt}/events`, headers);
  opened.push(stream);
  return stream;
}

/** Letters to these brands wait, the others go. */
const hold = (...brands: string[]) =>
  instance.query(
    `update contact set health = (case when slug = any ($1::text[]) then 'suspended' else 'good' end)::contact_health
     from brand where brand.id = brand_id`,
    [brands],
  );

/** What the newest update shows. */
const shownBy = ({ events }: Stream) =>
  lettersOn({ html: events.findLast(({ event }) => event === 'letters')?.data ?? '' } as Page).map(
    ({ brand, state }) => `${brand} ${state}`,
  );

describe('an open receipt', () => {
  it('hears when a letter moves, and sees what the page itself would show', async () => {
    await hold('hm', 'nike');
    const receipt = await writeAndConfirm(instance, instance.visitor(), {
      email: 'watcher@mail.example',
      brand: ['hm', 'nike'],
    });
    const [one, other] = [await listen(receipt), await listen(receipt)];
    expect(one.status).toBe(200);
    expect(one.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(one.headers.get('cache-control')).toBe('no-store');
    await until(async () => shownBy(one).length === 2);
    expect(shownBy(one)).toEqual(['hm ready', 'nike ready']);

    await hold('nike');
    await until(async () => shownBy(one).includes('hm accepted'), 'the accepted letter in the stream');
    await until(async () => shownBy(other).includes('hm accepted'), 'the same in the other stream');
    await instance.visitor().post(`${receipt}/cancel`);
    await until(async () => shownBy(one).includes('nike cancelled'), 'the cancelled letter in the stream');

    const page = await instance.visitor().get(receipt);
    const updated = one.events.findLast(({ event }) => event === 'letters')?.data ?? '';
    expect(page.html).toContain(updated.trim());
  });

  it('hears also what has no event: that its campaign is paused, and that it goes on', async () => {
    await hold('hm');
    const receipt = await writeAndConfirm(instance, instance.visitor(), { email: 'waiting@mail.example' });
    const stream = await listen(receipt);
    await until(async () => shownBy(stream).length === 1);
    const newest = () => stream.events.findLast(({ event }) => event === 'letters')?.data ?? '';
    const before = newest();
    await instance.query("update campaign set state = 'paused'");
    try {
      await until(async () => newest() !== before, 'the pause');
      expect((await instance.visitor().get(receipt)).html).toContain(newest().trim());
    } finally {
      await instance.query("update campaign set state = 'open'");
    }
    const paused = newest();
    await until(async () => newest() !== paused, 'the end of the pause');
    expect(newest()).toBe(before);
  });

  it('hears nothing about the letters of others', async () => {
    await hold('hm');
    const [mine, theirs] = [
      await writeAndConfirm(instance, instance.visitor(), { email: 'me@mail.example' }),
      await writeAndConfirm(instance, instance.visitor(), { email: 'them@mail.example' }),
    ];
    const [stream, other] = [await listen(mine), await listen(theirs)];
    await until(async () => stream.events.length > 0 && other.events.length > 0);
    const before = stream.events.length;
    await instance.visitor().post(`${theirs}/cancel`);
    await until(async () => shownBy(other).includes('hm cancelled'));
    expect(stream.events).toHaveLength(before);
    expect(shownBy(stream)).toEqual(['hm ready']);
  });

  it('hears that it is gone, and is not kept open', async () => {
    await hold('hm');
    const receipt = await writeAndConfirm(instance, instance.visitor(), { email: 'leaver@mail.example' });
    const stream = await listen(receipt);
    await until(async () => stream.events.length > 0);
    await instance.visitor().post(`${receipt}/erase`);
    await stream.ended;
    expect(stream.events.at(-1)?.event).toBe('gone');
    const again = await listen(receipt); // by a page that did not hear it
    await again.ended;
    expect(again.events.map(({ event }) => event)).toEqual(['gone']);
  });

  it('is not told that it is gone because it was opened while others were being told something', async () => {
    await hold('hm');
    const write = (email: string) => writeAndConfirm(instance, instance.visitor(), { email });
    const crowded = await Promise.all(['one', 'two', 'three'].map((name) => write(`${name}@mail.example`)));
    const quiet = await write('alone@mail.example');
    const crowd = await Promise.all(
      crowded.flatMap((receipt) => Array.from({ length: 20 }, () => listen(receipt))),
    );
    await until(async () => crowd.every(({ events }) => events.length > 0));
    for (const receipt of crowded) await instance.visitor().post(`${receipt}/cancel`);
    while (!crowd.some((stream) => shownBy(stream).includes('hm cancelled')))
      await new Promise((resolve) => setTimeout(resolve, 1));
    const newcomer = await listen(quiet);
    await until(async () => newcomer.events.length > 0);
    expect(newcomer.events.map(({ event }) => event)).toEqual(['letters']);
  });

  it('is one of twenty at most that a person may have open, whoever has the link', async () => {
    await hold('hm');
    const mine = await writeAndConfirm(instance, instance.visitor(), { email: 'windows@mail.example' });
    const theirs = await writeAndConfirm(instance, instance.visitor(), { email: 'door@mail.example' });
    const all = await Promise.all(Array.from({ length: 25 }, () => listen(mine)));
    expect(all.map(({ status }) => status).sort()).toEqual([...Array(20).fill(200), ...Array(5).fill(204)]);
    expect((await listen(theirs)).status).toBe(200);
    all.find(({ status }) => status === 200)?.close();
    await until(async () => (await listen(mine)).status === 200, 'a place that is free again');
  });

  it('keeps no place for somebody who left while it was being opened', async () => {
    await hold('hm');
    const receipt = await writeAndConfirm(instance, instance.visitor(), { email: 'hasty@mail.example' });
    const locker = new pg.Client({ connectionString: instance.context.databaseUrl });
    await locker.connect();
    await locker.query('begin; lock table advocate in access exclusive mode');
    const leaving = new AbortController();
    const left = Array.from({ length: 5 }, () =>
      fetch(`${instance.url}${receipt}/events`, { signal: leaving.signal }).catch(() => 'left'),
    );
    const waiting = `select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%receipt%'`;
    await until(async () => (await instance.query(waiting)).length >= left.length, 'their questions');
    leaving.abort();
    expect(await Promise.all(left)).toEqual(Array(5).fill('left'));
    expect((await instance.visitor().get('/healthz')).status).toBe(200); // by now, the server knows it, too
    await locker.query('rollback');
    await locker.end();
    const all = await Promise.all(Array.from({ length: 20 }, () => listen(receipt)));
    expect(all.map(({ status }) => status)).toEqual(Array(20).fill(200));
  });

  it('is not opened by a question that wants its headers only', async () => {
    await hold('hm');
    const receipt = await writeAndConfirm(instance, instance.visitor(), { email: 'header@mail.example' });
    const line = connect(Number(new URL(instance.url).port), '127.0.0.1');
    let heard = '';
    line.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    const ask = (what: string) => line.write(`${what} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    ask(`HEAD ${receipt}/events`);
    await until(async () => heard.includes('\r\n\r\n'), 'the headers');
    ask('GET /healthz');
    await until(async () => heard.includes('{"status":"ok"}'), 'an answer on the same line');
    line.destroy();
    expect(heard).toMatch(/^HTTP\/1\.1 200 /);
  });

  describe('whose reader does not read', () => {
    /** What makes the letters of a page more than any line holds by itself. */
    const longAnswer = 'x'.repeat(2_500_000);
    const happens = (receipt: string, response: string) =>
      instance.query(
        `insert into event (letter_id, type, response)
         select letter.id, 'deferred', $2 from letter join advocate on advocate.id = advocate_id
         where receipt_hash = $1`,
        [hashToken(receipt.slice('/r/'.length)), response],
      );
    const hears = (stream: Stream, what: string) =>
      until(async () => stream.events.at(-1)?.data.includes(what), what, 60_000);

    /** A stream of which only the headers are read, and another window of the same person, which is read. */
    async function ignore(email: string) {
      await hold('hm');
      const receipt = await writeAndConfirm(instance, instance.visitor(), { email });
      await happens(receipt, longAnswer);
      const [response] = (await once(get(`${instance.url}${receipt}/events`), 'response')) as [
        IncomingMessage,
      ];
      const beside = await listen(receipt);
      await hears(beside, longAnswer);
      return { receipt, response, beside };
    }

    it('is told nothing more until it reads, and then the newest', async () => {
      const { receipt, response, beside } = await ignore('busy@mail.example');
      for (const news of ['first news', 'second news', 'third news']) {
        await happens(receipt, news);
        await hears(beside, news);
      }
      let heard = '';
      response.setEncoding('utf8').on('data', (text) => {
        heard += text;
      });
      await until(async () => heard.includes('third news'), 'the newest', 60_000);
      response.destroy();
      expect(heard.split('event: letters')).toHaveLength(1 + 2);
      expect(heard.split('event: letters')[1]).not.toContain('news');
    });

    it('loses what it has not read when its person is gone', async () => {
      const { receipt, response, beside } = await ignore('asleep@mail.example');
      await instance.visitor().post(`${receipt}/erase`);
      await beside.ended;
      let heard = '';
      response.setEncoding('utf8').on('data', (text) => {
        heard += text;
      });
      await expect(once(response, 'end')).rejects.toThrow('aborted');
      expect(heard.length).toBeLessThan(longAnswer.length * 2); // the answer is in it twice
    });
  });

  it('is told no more for a token that does not exist', async () => {
    const stream = await listen(`/r/${'A'.repeat(43)}`);
    await stream.ended;
    expect(stream.events).toEqual([{ event: 'gone', data: '' }]);
  });
});

describe('an instance that stops', () => {
  it('does not wait for those who watch', async () => {
    const stopping = await startInstance();
    const receipt = await writeAndConfirm(stopping, stopping.visitor(), { email: 'last@mail.example' });
    const stream = await openStream(`${stopping.url}${receipt}/events`);
    await until(async () => stream.events.length > 0);
    await stopping.close();
    await stream.ended;
  });
});
