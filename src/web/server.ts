import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from '../context.ts';
import { codeOf, ExpectedError } from '../expected.ts';
import { createApp } from './app.ts';

/**
 * The web role: the pages. It needs the database only.
 *
 * @throws ExpectedError when the port cannot be had
 */
export async function startWeb(context: Context): Promise<{ close(): Promise<void> }> {
  const { config, site, log } = context;
  const { app, close } = await createApp(context);
  const server = createServer(app);
  await listen(server, config.port, config.host);
  const { port } = server.address() as AddressInfo;
  if (!config.publicUrl) {
    const host = ['0.0.0.0', '::'].includes(config.host) ? '127.0.0.1' : config.host;
    site.url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }
  log.info({ host: config.host, port }, 'the pages are up');
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      close(); // streams would stay open for as long as somebody looks
      server.closeIdleConnections();
      const impatient = setTimeout(() => server.closeAllConnections(), 5000);
      await closed;
      clearTimeout(impatient);
      log.info('the pages are down');
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    const problems: Record<string, string> = {
      EADDRINUSE: `Port ${port} on ${host} is in use. Set PORT to another one, or to 0 for any that is free.`,
      EACCES: `Port ${port} may not be used by this user. Set PORT to one above 1023, or to 0 for any that is free.`,
      EADDRNOTAVAIL: `This machine does not have the address ${host}. Set HOST to one that it has, e.g. 127.0.0.1.`,
      ENOTFOUND: `The address ${host} is not known. Set HOST to one that this machine has, e.g. 127.0.0.1.`,
    };
    const problem = problems[codeOf(error) ?? ''];
    throw problem ? new ExpectedError(problem) : error;
  }
}
