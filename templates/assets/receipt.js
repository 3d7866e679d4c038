// Keeps the receipt up to date while it is open. Without this script the page has a link instead.
const place = document.getElementById('letters');

if (place && 'EventSource' in window) {
  const stream = new EventSource(place.dataset.stream);

  stream.addEventListener('letters', (event) => {
    const open = new Map(
      [...place.querySelectorAll('article')].map((one) => [one.id, one.querySelector('details').open]),
    );
    const focused = document.activeElement?.closest('article')?.id;
    place.innerHTML = event.data;
    for (const one of place.querySelectorAll('article')) {
      if (open.has(one.id)) one.querySelector('details').open = open.get(one.id);
      if (one.id === focused) one.querySelector('summary').focus({ preventScroll: true });
    }
  });

  stream.addEventListener('gone', () => {
    stream.close();
    window.location.reload();
  });

  document.querySelector('.live').hidden = false;
}
