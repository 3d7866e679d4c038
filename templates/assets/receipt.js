// Keeps the receipt up to date while it is open. Without this script the page has a link instead.
const place = document.getElementById('letters');
const news = document.getElementById('news');

if (place && news && 'EventSource' in window) {
  const stream = new EventSource(place.dataset.stream);
  let shown = place.innerHTML.trim();

  stream.addEventListener('letters', (event) => {
    const next = document.createElement('template');
    next.innerHTML = event.data;
    if (next.innerHTML.trim() === shown) return;
    shown = next.innerHTML.trim();
    const open = new Map(
      [...place.querySelectorAll('article')].map((one) => [one.id, one.querySelector('details').open]),
    );
    const focused = document.activeElement?.closest('article')?.id;
    place.replaceChildren(next.content);
    for (const one of place.querySelectorAll('article')) {
      if (open.has(one.id)) one.querySelector('details').open = open.get(one.id);
      if (one.id === focused) one.querySelector('summary').focus({ preventScroll: true });
    }
    // one sentence for those who hear the page: the letters themselves would be read out whole
    news.textContent = place.querySelector('.progress-words').textContent;
  });

  stream.addEventListener('gone', () => {
    stream.close();
    window.location.reload();
  });

  document.querySelector('.live').hidden = false;
}
