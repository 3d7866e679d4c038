import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RecordingProxy = {
  url: string;
  /** What an access log would hold, and more: every request line, and every header that can carry an address on. */
  asked: string[];
  /** Breaks every line, and answers what comes with 502, as proxies do while the program behind them restarts. */
  loseServer(): void;
  findServer(): void;
  close(): Promise<void>;
};

/** A reverse proxy in front of a server, which writes down what was asked. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const asked: string[] = [];
  let lost = false;
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url} ${incoming.headers.referer ?? ''}`);
    if (lost) return void outgoing.writeHead(502, { 'content-type': 'text/html' }).end('Bad gateway');
    const { method, headers, url } = incoming;
    const passed = request(new URL(url ?? '/', target), { method, headers }, (answer) => {
      asked.push(`-> ${answer.statusCode} ${answer.headers.location ?? ''}`);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    loseServer() {
      lost = true;
      server.closeAllConnections();
    },
    findServer() {
      lost = false;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
