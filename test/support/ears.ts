import type { Page } from 'playwright-core';

/** Listens to the news of a receipt as a screen reader does: what comes in is said once. Each entry is one announcement. */
export async function listen(page: Page): Promise<string[]> {
  const heard: string[] = [];
  await page.exposeFunction('say', (text: string) => void heard.push(text));
  await page.evaluate(`(() => {
    const news = document.getElementById('news');
    const tell = () => news.textContent && say([...news.children].map((one) => one.textContent).join('\\n'));
    new MutationObserver(tell).observe(news, { childList: true, subtree: true, characterData: true });
  })()`);
  return heard;
}
