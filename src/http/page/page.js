// Keeps the page live: hears of news, fetches the page again, and changes in place what is new, so that focus, scroll
// position and what is unfolded stay. Without it, the page shows what was when it was loaded.
'use strict';

const LEAST = 1000; // ms between two refreshes
const POLL = 10_000; // ms between two refreshes where there is no stream of news
const RETRY = 15_000; // ms until the stream is tried again

const live = document.getElementById('live');
const lost = document.getElementById('live-lost');
const said = document.getElementById('said');
let news; // the stream
let wanted = false; // a refresh is due
let busy = false;
let last = 0; // when the last refresh ended
let pause = LEAST; // longer where the page is large

// --- refreshing

function refresh() {
  wanted = true;
  if (busy || document.hidden) return;
  busy = true;
  setTimeout(load, Math.max(0, last + pause - Date.now()));
}

async function load() {
  wanted = false;
  const began = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const main = page.getElementById('main');
    if (!main) throw new Error('no page');
    become(document.getElementById('main'), main);
    document.title = page.title;
    tell(main.dataset.summary);
    found();
  } catch {
    missing();
  }
  last = Date.now();
  pause = Math.max(LEAST, 5 * (last - began));
  busy = false;
  if (wanted) refresh();
}

// Makes an element like another one, and leaves alone what is the same already.
function become(old, fresh) {
  if (old.isEqualNode(fresh) || old.classList.contains('said')) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !ours(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !ours(old, name)) old.setAttribute(name, value);
  }
  const known = new Map();
  for (const child of old.children) if (child.id) known.set(child.id, child);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    if (same.nodeType === Node.ELEMENT_NODE) become(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// What the reader or this script has set.
function ours(element, name) {
  if (name === 'open') return element.nodeName === 'DETAILS';
  if (name === 'value') return element === document.activeElement;
  return name === 'hidden' && element.classList.contains('actions');
}

// To screen readers, and only what is new.
function tell(summary) {
  if (summary && said.dataset.last !== undefined && said.dataset.last !== summary) said.textContent = summary;
  said.dataset.last = summary;
}

// --- what is known of the agent

function found() {
  lost.hidden = true;
  document.body.classList.remove('old');
  document.getElementById('as-of').textContent = document.querySelector('footer time:last-of-type').textContent;
  arm();
}

function missing() {
  lost.hidden = false;
  document.body.classList.add('old');
  show('off', 'not live');
}

function show(state, words) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.textContent = words;
}

function listen() {
  news = new EventSource('/api/v1/events');
  news.onopen = () => { show('on', 'live'); refresh(); };
  news.onerror = () => {
    if (news.readyState === EventSource.CLOSED) {
      show('poll', 'every 10 s');
      setTimeout(listen, RETRY);
    } else {
      show('off', 'not live');
    }
    refresh();
  };
  // Who looks at checks learns nothing by the runs of a verification.
  const canaries = location.pathname.startsWith('/canaries') ? ['canary'] : [];
  for (const kind of ['run', 'job', 'agent', 'lagged', ...canaries]) news.addEventListener(kind, refresh);
}

// --- relative times

function ago() {
  const now = Math.floor(Date.now() / 1000) - skew;
  for (const time of document.querySelectorAll('time.ago')) {
    const seconds = now - Math.floor(Date.parse(time.dateTime) / 1000);
    const words = seconds === 0 ? 'now' : seconds > 0 ? `${roughly(seconds)} ago` : `in ${roughly(-seconds)}`;
    if (time.textContent !== words) time.textContent = words;
  }
}

function roughly(s) {
  const two = (large, small, a, b) => (small ? `${large} ${a} ${small} ${b}` : `${large} ${a}`);
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), s % 60, 'm', 's');
  if (s < 86400) return two(Math.floor(s / 3600), Math.floor((s % 3600) / 60), 'h', 'm');
  return two(Math.floor(s / 86400), Math.floor((s % 86400) / 3600), 'd', 'h');
}

// --- what may be done: only where the agent has a token, which is kept as long as this tab

function arm() {
  for (const actions of document.querySelectorAll('.actions')) actions.hidden = !('changes' in document.body.dataset);
}

document.addEventListener('click', async ({ target }) => {
  const button = target.closest('button[data-do]');
  if (!button) return;
  const actions = button.closest('.actions');
  const word = actions.querySelector('.said');
  const pauses = button.dataset.do === 'pause';
  const query = pauses ? `?for=${actions.querySelector('select').value}` : '';
  word.textContent = '';
  const answer = await change(`${actions.dataset.path}/${button.dataset.do}${query}`);
  word.textContent = answer;
  refresh();
});

async function change(path) {
  let token = sessionStorage.getItem('gateprobe-token') ?? (await ask());
  if (!token) return '';
  try {
    const answer = await fetch(path, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    if (answer.status === 401) {
      sessionStorage.removeItem('gateprobe-token');
      return 'The token is wrong.';
    }
    sessionStorage.setItem('gateprobe-token', token);
    const body = await answer.json();
    return answer.ok ? body.done : body.error;
  } catch {
    return 'The agent did not answer.';
  }
}

function ask() {
  const dialog = document.getElementById('token');
  const value = document.getElementById('token-value');
  value.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener('close', () => {
      done(dialog.returnValue === 'ok' ? value.value.trim() : '');
      value.value = '';
    }, { once: true });
  });
}

// --- the beginning

const shown = document.getElementById('main').dataset;
// The agent's clock counts, not the browser's.
const skew = Math.round(Date.now() / 1000 - Date.parse(shown.now) / 1000);
tell(shown.summary);
arm();
listen();
setInterval(ago, 1000);
setInterval(() => { if (Date.now() - last > POLL) refresh(); }, POLL);
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
// What was chosen by hand comes at once.
document.getElementById('q')?.addEventListener('search', (event) => event.target.form.requestSubmit());
