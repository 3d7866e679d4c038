import type { RequestHandler } from 'express';
import { type CampaignBrand, statusOf, textsIn } from '../../campaigns/campaign.ts';
import { brandsOf, listCampaigns } from '../../campaigns/campaign-store.ts';
import type { Context } from '../../context.ts';
import { draftDays, personalDays } from '../../letters/retention.ts';
import type { Locale } from '../../locale/locale.ts';
import type { Pages } from '../page.ts';

/** The campaigns. */
export function home({ database, config }: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const locale = pages.locale(request);
    const campaigns = await listCampaigns(database, config.mailDomain);
    const brands = await Promise.all(campaigns.map(({ id }) => brandsOf(database, id)));
    pages.send(request, response, 'home', {
      start: campaigns.find(({ open }) => open)?.slug ?? '',
      campaigns: campaigns.map((campaign, n) => {
        const { title, summary, textLanguage } = textsIn(campaign, [locale.language]);
        return {
          slug: campaign.slug,
          title,
          summary,
          textLanguage,
          open: campaign.open,
          label: statusOf(campaign),
          ...someOf(brands[n] ?? [], locale),
        };
      }),
    });
  };
}

/** The first brands by name, and how many more there are. */
function someOf(brands: CampaignBrand[], locale: Locale): { names: string; more: number } {
  const few = brands.length > 5 ? brands.slice(0, 4) : brands;
  const names = few.map(({ name }) => name);
  const more = brands.length - few.length;
  return { names: more > 0 ? names.join(', ') : locale.list(names), more };
}

/** How a letter travels, and what is kept. */
export function how(pages: Pages): RequestHandler {
  return (request, response) => pages.send(request, response, 'how', { draftDays, personalDays });
}
