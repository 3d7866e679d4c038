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
    const folds = new Map([...place.querySelectorAll('details')].map(({ id, open }) => [id, open]));
    const again = place.contains(document.activeElement) ? pathTo(document.activeElement) : [];
    place.replaceChildren(next.content);
    for (const one of place.querySelectorAll('details')) {
      if (folds.has(one.id)) one.open = folds.get(one.id);
    }
    const found = again.map((path) => place.querySelector(path)).find((one) => one !== null);
    found?.focus({ preventScroll: true });
    // one sentence for those who hear the page: the letters themselves would be read out whole
    news.textContent = [...place.querySelectorAll('.progress-words, .progress-replies')]
      .map((one) => one.textContent)
      .join(' ');
  });

  stream.addEventListener('gone', () => {
    stream.close();
    window.location.reload();
  });

  document.querySelector('.live').hidden = false;
}

/** How to find what has the focus after the letters were put in anew: itself, else its letter's steps. */
function pathTo(element) {
  const letter = `#${element.closest('article')?.id ?? 'letters'} .steps-taken > summary`;
  if (element.matches('summary')) return [`#${element.parentElement.id} > summary`, letter];
  const link = element.getAttribute('href');
  return link ? [`a[href="${link}"]`, letter] : [letter];
}
