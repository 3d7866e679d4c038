import { rm } from 'node:fs/promises';

export default async function tearDown(): Promise<void> {
  const { postgres, folder } = globalThis.outspokenTest;
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
}
