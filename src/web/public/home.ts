import type { RequestHandler } from 'express';
import { statusOf, textsIn } from '../../campaigns/campaign.ts';
import { listCampaigns } from '../../campaigns/campaign-store.ts';
import type { Context } from '../../context.ts';
import { draftDays, personalDays } from '../../letters/retention.ts';
import type { Pages } from '../page.ts';

/** The campaigns. */
export function home({ database, config }: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const { language } = pages.locale(request);
    const campaigns = await listCampaigns(database, config.mailDomain);
    pages.send(request, response, 'home', {
      campaigns: campaigns.map((campaign) => {
        const { title, summary } = textsIn(campaign, [language]);
        return {
          slug: campaign.slug,
          title,
          summary,
          open: campaign.open,
          label: statusOf(campaign),
        };
      }),
    });
  };
}

/** How a letter travels, and what is kept. */
export function how(pages: Pages): RequestHandler {
  return (request, response) => pages.send(request, response, 'how', { draftDays, personalDays });
}
