import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { reconcile } from '../../src/commands/reconcile.ts';
import { startHold } from '../../src/hold/hold.ts';
import { runHere } from '../support/commands.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { correspond } from '../support/replies.ts';
import { fieldOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

it('an answer that may have reached its brand since the backup is sent again by its writer only', async () => {
  const one = await correspond(instance, smtp);
  await one.brandWrites({});
  const [reply] = await one.replies('accepted');
  const form = reply?.link ?? '';
  const submission = fieldOf(await one.visitor.get(form), 'submission');
  const { location } = await one.visitor.post(form, { submission, text: 'Thank you.' });
  await instance.query("update campaign set state = 'paused'"); // so that it waits when the backup is made
  await one.visitor.post(`${location}/send`);
  await one.replies('accepted', 'waiting');
  await startHold(instance.context.database, 'restored');
  await instance.query("update campaign set state = 'open'");

  const list = join(instance.context.config.dataDir, 'list');
  const [{ handle } = { handle: '' }] = await instance.query<{ handle: string }>(
    "select handle from reply where direction = 'from advocate'",
  );
  await writeFile(list, `<${handle}@outspoken.example>`);
  await runHere(instance, reconcile, '--accepted', list, '--complete', '--yes');
  await one.replies('accepted', 'unknown');
  await one.visitor.post(`${location}/send`);
  await one.replies('accepted', 'accepted');
  expect(await one.atBrand(1)).toHaveLength(1);
});
