import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import { createLog } from '../../src/log.ts';
import { lastResort } from '../../src/web/faults.ts';
import { campaignPath, letterFields, randomId } from '../support/advocate.ts';
import { type Cable, layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { startProgram, variablesFor } from '../support/program.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

let database: Awaited<ReturnType<typeof cloneDatabase>>;
let cable: Cable;
let instance: Instance;
beforeAll(async () => {
  database = await cloneDatabase();
  const laid = await layCableTo(database.url);
  cable = laid;
  instance = await startInstance({ roles: ['web'], databaseUrl: laid.url });
});
afterAll(async () => {
  await instance.close();
  await cable.close();
  await database.drop();
});

/** Nothing of how it is made: no SQL, no code, no paths, no versions. */
function leaksNothing(page: Page): void {
  expect(page.html).not.toMatch(
    /relation|column|select |insert |syntax|ECONN|Error:|node_modules|\.ts\b|postgres/,
  );
  expect([...page.headers.keys()]).not.toContain('x-powered-by');
  expect(page.headers.get('cache-control')).toBe('no-store');
}

describe('a page that does not exist', () => {
  it.each([
    '/nothing',
    '/c/nothing',
    '/c/%00',
    '/c/A',
    '/mail/nothing',
    '/assets/nothing.css',
    '/c/..%2f..%2fetc',
    '/.env',
  ])('is answered with 404: %s', async (path) => {
    const page = await instance.visitor().get(path);
    expect(page.status).toBe(404);
    if (path.startsWith('/assets')) return;
    expect(wordsOf(page)).toContain('There is no such page');
    expect(page.html).toContain('<a href="/">To the campaigns</a>');
    leaksNothing(page);
  });

  it.each(['/c/%E0%A4%A', '/%', '/assets/%E0', '/assets/..%5c..%5cpackage.json', '/assets/%00'])(
    'is refused without a trace of the program when its address is broken: %s',
    async (path) => {
      const page = await instance.visitor().get(path);
      expect([400, 404]).toContain(page.status);
      expect(page.html).not.toMatch(/Error|URIError|at |node_modules/);
    },
  );

  it('is a page that cannot be sent a form', async () => {
    expect((await instance.visitor().post('/how', {})).status).toBe(404);
  });
});

describe('a failure that not even its page can be made for', () => {
  it('is answered with a sentence, and with nothing of the program', async () => {
    const app = express();
    app.get('/', () => {
      throw new Error('select secret from node_modules');
    });
    app.use(lastResort({ log: createLog('silent') }));
    const server = app.listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(response.status).toBe(500);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toBe('Something went wrong on our side. Please try again.\n');
    } finally {
      server.close();
    }
  });
});

describe('a form whose sender goes away in the middle of it', () => {
  it('is no failure of ours, of which the log would tell', async () => {
    const program = await startProgram(
      { ...variablesFor(instance, 'smtp://127.0.0.1:9?tls=off'), LOG_LEVEL: 'info' },
      { args: ['--role', 'web'] },
    );
    const { port } = JSON.parse(/.*the pages are up.*/.exec(program.err())?.[0] ?? '{}') as { port: number };
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST ${campaignPath}/letters HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nSec-Fetch-Site: same-origin\r\n` +
        'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nwords=',
    );
    // its beginning has been read once somebody is answered who asked later
    await once(socket, 'connect');
    expect((await fetch(`http://127.0.0.1:${port}/how`)).status).toBe(200);
    socket.destroy();
    expect((await fetch(`http://127.0.0.1:${port}/how`)).status).toBe(200);
    expect(await program.stop()).toBe(0);
    expect(program.err()).toContain('the pages are down');
    expect(program.err()).not.toContain('a request failed');
  });
});

describe('when a part of the program is broken', () => {
  afterEach(() => instance.query('alter table if exists broken_brand rename to campaign_brand'));

  it('a form is answered with 500, and keeps what was typed for another try', async () => {
    const visitor = instance.visitor();
    const typed = letterFields({
      submission: randomId(),
      brand: ['hm', 'nike'],
      words: 'Worth "keeping"\n& more',
      email: 'kept@mail.example',
    });
    await instance.query('alter table campaign_brand rename to broken_brand');
    const page = await visitor.post(`${campaignPath}/letters`, typed);
    expect(page.status).toBe(500);
    expect(wordsOf(page)).toContain('Something went wrong on our side');
    leaksNothing(page);
    await instance.query('alter table broken_brand rename to campaign_brand');

    const again = formOn(page, `${campaignPath}/letters`);
    const { _csrf, ...fields } = again.fields;
    expect(fields).toEqual(
      Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, [value].flat()])),
    );
    expect((await visitor.post(again.action, again.fields)).status).toBe(303);
  });
});

describe('while the database is away', () => {
  beforeAll(() => cable.cut());
  afterAll(() => cable.mend());

  it('a page says so, and offers to try again', async () => {
    const page = await instance.visitor().get(campaignPath);
    expect(page.status).toBe(503);
    expect(wordsOf(page)).toContain('We cannot reach the letters at this moment');
    expect(page.html).toContain(`href="${campaignPath}"`);
    leaksNothing(page);
  });

  it('a form promises nothing, and keeps what was typed for another try', async () => {
    const page = await instance
      .visitor()
      .post(`${campaignPath}/letters`, letterFields({ words: 'Worth keeping' }));
    expect(page.status).toBe(503);
    expect(formOn(page, `${campaignPath}/letters`).fields.words).toEqual(['Worth keeping']);
    expect(wordsOf(page)).not.toMatch(/stored|received/);
  });

  it('pages without letters still work', async () => {
    expect((await instance.visitor().get('/how')).status).toBe(200);
  });

  it('the process is alive and not ready, and says why', async () => {
    const [alive, ready] = await health();
    expect(alive).toEqual({ status: 200, body: { status: 'ok' } });
    expect(ready).toEqual({
      status: 503,
      body: { status: 'down', parts: { database: { status: 'down', reason: 'it cannot be reached' } } },
    });
  });
});

describe('when the database is back', () => {
  it('the process is ready, and letters are taken', async () => {
    const [, ready] = await health();
    expect(ready).toMatchObject({ status: 200, body: { parts: { database: { status: 'ok' } } } });
    const sent = await instance.visitor().post(`${campaignPath}/letters`, letterFields());
    expect(sent.status).toBe(303);
  });
});

async function health() {
  return Promise.all(
    ['/healthz', '/readyz'].map(async (path) => {
      const response = await fetch(new URL(path, instance.url));
      return { status: response.status, body: await response.json() };
    }),
  );
}
