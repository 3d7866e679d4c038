import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../bench/free-port.ts';

/** A connection to a server that a test can cut, as if the server or the network were gone. */
export type Cable = {
  port: number;
  /** Breaks every connection, and refuses new ones. */
  cut(): Promise<void>;
  /** Lets every connection stand, and nothing pass on it any more; new ones work. */
  freeze(): void;
  /** Accepts connections again. */
  mend(): Promise<void>;
  close(): Promise<void>;
};

/** A cable to a test's database, which listens on a Unix socket; `url` is the database at its other end. */
export async function layCableTo(databaseUrl: string): Promise<Cable & { url: string }> {
  const [, login, name, folder = ''] = /^postgres:\/\/([^@]*)@\/(\w+)\?host=(.*)$/.exec(databaseUrl) ?? [];
  const cable = await layCable({ path: join(decodeURIComponent(folder), '.s.PGSQL.5432') });
  return { ...cable, url: `postgres://${login}@127.0.0.1:${cable.port}/${name}` };
}

/** Passes everything on to a socket of this machine. */
export async function layCable(target: NetConnectOpts): Promise<Cable> {
  const ends = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        ends.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const cut = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const end of ends) end.destroy();
    await closed;
  };
  const port = await freePort(); // which nobody else is given while it is cut
  await listen(port);
  return {
    port,
    cut,
    freeze() {
      for (const end of ends) end.unpipe().pause();
    },
    mend: () => listen(port),
    close: () => (server.listening ? cut() : Promise.resolve()),
  };
}
