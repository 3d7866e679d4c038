import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());

describe('who runs an instance', () => {
  it("can be said on the campaign's page as docs/operating.md shows it, without a source", async () => {
    const documented = readFileSync('docs/operating.md', 'utf8');
    const [, statement = ''] = /```sql\n(update campaign set texts = [^`]+)```/.exec(documented) ?? [];
    await instance.query(statement);
    const page = await instance.visitor().get(campaignPath);
    const [, section = ''] = page.html.split('>Who runs this site</h2>');
    expect(wordsOf({ ...page, html: section.split('</section>')[0] ?? '' }).trim()).toBe(
      'The Example Society in Example Town. You reach us at hello@example.org.',
    );
    expect(page.html.match(/Source:/g)?.length).toBeGreaterThan(1);
  });
});
