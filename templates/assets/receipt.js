// Keeps the receipt up to date while it is open, and says its times in the reader's own. Without this script the page
// has a link to look again, and times in UTC.
const place = document.getElementById('letters');
const news = document.getElementById('news');
const live = document.querySelector('.live');
const look = document.querySelector('.look');
let shown = place.innerHTML.trim();
let emptying;

sayOwnTimes();
if ('EventSource' in window) {
  look.hidden = true;
  listen();
}

function listen() {
  const stream = new EventSource(place.dataset.stream);
  stream.addEventListener('open', () => keepsUp(true));
  stream.addEventListener('letters', (event) => show(event.data));
  stream.addEventListener('gone', () => {
    stream.close();
    window.location.reload();
  });
  stream.addEventListener('error', () => {
    keepsUp(false);
    // a broken line is mended by the browser; after an answer of 502, say, while we restart, it gives up for good
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 10_000 + Math.random() * 20_000);
  });
}

/** The page says that it updates itself only while it does. */
function keepsUp(does) {
  live.hidden = !does;
  look.hidden = does;
}

function show(letters) {
  const next = document.createElement('template');
  next.innerHTML = letters;
  if (next.innerHTML.trim() === shown) return;
  shown = next.innerHTML.trim();
  const folds = new Map([...place.querySelectorAll('details')].map(({ id, open }) => [id, open]));
  const again = place.contains(document.activeElement) ? pathTo(document.activeElement) : [];
  const before = new Set(sentences());
  place.textContent = '';
  place.append(next.content);
  sayOwnTimes();
  for (const one of place.querySelectorAll('details')) {
    if (folds.has(one.id)) one.open = folds.get(one.id);
  }
  const found = again.map((path) => place.querySelector(path)).find((one) => one !== null);
  found?.focus({ preventScroll: true });
  tell(sentences().filter((sentence) => !before.has(sentence)));
}

/** For those who hear the page. What was said goes, since somebody who reads on would meet it as a part of the page. */
function tell(said) {
  if (said.length === 0) return;
  clearTimeout(emptying);
  news.textContent = '';
  for (const sentence of said) {
    news.append(Object.assign(document.createElement('p'), { textContent: sentence }));
  }
  emptying = setTimeout(() => {
    news.textContent = '';
  }, 5000);
}

/**
 * The page in a few sentences, since the letters themselves would be read out whole: the numbers at the top, and what
 * these do not tell: which letters were not taken, or may not have been.
 */
function sentences() {
  const numbers = [...place.querySelectorAll('.progress-words, .progress-replies')];
  const endings = [...place.querySelectorAll('.letter.ended, .letter.unknown')];
  return [
    ...numbers.map((one) => one.textContent),
    ...endings.map(
      (one) => `${one.querySelector('h2').textContent}: ${one.querySelector('.sentence').textContent}`,
    ),
  ];
}

/** How to find what has the focus after the letters were put in anew: itself, else its letter's steps. */
function pathTo(element) {
  const letter = `#${element.closest('article')?.id ?? 'letters'} .steps-taken > summary`;
  if (element.matches('summary')) return [`#${element.parentElement.id} > summary`, letter];
  const name = ['href', 'formaction'].find((one) => element.hasAttribute(one));
  return name ? [`[${name}="${element.getAttribute(name)}"]`, letter] : [letter];
}

/** Only this browser knows where its reader is, and it does not have to tell us. */
function sayOwnTimes() {
  const patterns = JSON.parse(place.dataset.patterns);
  if (!patterns) return;
  const clock = new Intl.DateTimeFormat('en-GB', {
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hourCycle: 'h23', timeZoneName: 'short' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
  });
  for (const time of place.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    const { text, months } = time.closest('.timeline') ? patterns.stamp : patterns.moment;
    const parts = new Map(clock.formatToParts(at).map(({ type, value }) => [type, value]));
    parts.set('month', months[at.getMonth()]);
    time.textContent = text.replace(/\{(\w+)\}/g, (_, part) => parts.get(part));
  }
}
