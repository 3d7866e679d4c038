import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { SMTPServer } from 'smtp-server';
import type { Config } from '../config.ts';
import { ExpectedError, reasonOf } from '../expected.ts';
import type { Logger } from '../log.ts';

type Certificate = { cert: Buffer; key: Buffer };
type Files = Config['inboundTls'];

/**
 * The listener's certificate; undefined when none is set.
 *
 * @throws ExpectedError when it cannot be read, or when certificate and key do not belong together
 */
export async function readCertificate(files: Files): Promise<Certificate | undefined> {
  if (!files) return undefined;
  const [cert, key] = await Promise.all([
    read('INBOUND_TLS_CERT', files.cert),
    read('INBOUND_TLS_KEY', files.key),
  ]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new ExpectedError(
      `INBOUND_TLS_CERT and INBOUND_TLS_KEY must be PEM files of one certificate and its key (${reasonOf(error)}).`,
    );
  }
  return { cert, key };
}

async function read(variable: string, file: string): Promise<Buffer> {
  return readFile(file).catch((error) => {
    throw new ExpectedError(`The file of ${variable} cannot be read (${reasonOf(error)}).`);
  });
}

const hour = 60 * 60_000;

/** Certificates are renewed while the listener runs: the files are read again every hour. */
export function renewCertificate(server: SMTPServer, files: Files, log: Logger): { stop(): void } {
  const timer = setInterval(() => {
    readCertificate(files)
      .then((certificate) => certificate && server.updateSecureContext(certificate))
      .catch((error) => log.error({ err: error }, 'the new certificate cannot be used; the old one stays'));
  }, hour);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
