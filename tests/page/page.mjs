// The page in a real browser, against a real agent: `node page.mjs AGENT CONTROL TOKEN`. AGENT is where the agent serves,
// CONTROL the control API of its gateway `orders`, TOKEN the agent's token. Prints a line for each thing that holds.

import assert from 'node:assert/strict';
import { browse, ok } from './browser.mjs';
import { harmless, inEveryLook } from './looks.mjs';
import { hear } from './news.mjs';

const [agent, control, token] = process.argv.slice(2);

const state = (page, row) => page.locator(`tr[id="${row}"] .badge`);

async function fault(method, body) {
  const path = method === 'PUT' ? 'faults/upgrade_status' : 'faults';
  const answer = await fetch(`${control}${path}`, { method, body });
  assert.equal(answer.status, 204);
}

await browse(async (open) => {
  const page = await open();
  const loads = [];
  page.on('request', (request) => loads.push(new URL(request.url()).origin));

  await fault('DELETE');
  await page.goto(agent);
  await state(page, 'orders.handshake').filter({ hasText: 'passing' }).waitFor({ timeout: 60_000 });
  await page.evaluate(() => { window.untouched = true; });
  ok('healthy, all is green');

  await fault('PUT', '503');
  await state(page, 'orders.handshake').filter({ hasText: 'failing' }).waitFor({ timeout: 60_000 });
  const ids = await page.locator('.jobs tbody tr').evaluateAll((rows) => rows.map(({ id }) => id));
  // The others have been failing for longer.
  assert.deepEqual(ids.toSorted(), ['closing.handshake', 'denying.handshake', 'orders.handshake']);
  assert.equal(ids.at(-1), 'orders.handshake');
  assert.match(await page.title(), /3 failing/);
  ok('the failing check turned red by itself');

  await page.locator('tr[id="orders.handshake"] a').click();
  await page.getByRole('heading', { name: /The last failure/ }).waitFor();
  assert.match(await page.locator('#timeline').innerText(), /HTTP 503/);
  assert.match(await page.locator('.verdict').first().innerText(), /unavailable/);
  ok('one click from all checks to the failing run');

  const paths = ['/', '/targets/orders/handshake', '/targets/closing/handshake', '/runbooks/GateprobeCheckFailing'];
  await inEveryLook(open, paths.map((path) => agent + path));
  ok('no serious violation of accessibility in either theme and width, and nothing is cut off');

  await page.goto(agent);
  await page.evaluate(() => { window.untouched = true; });
  await page.locator('#q').focus();
  await page.locator('#q').fill('unsent');
  await fault('DELETE');
  await state(page, 'orders.handshake').filter({ hasText: 'passing' }).waitFor({ timeout: 60_000 });
  assert.equal(await page.evaluate(() => window.untouched), true);
  assert.deepEqual(await page.evaluate(() => [document.activeElement.id, document.activeElement.value]), ['q', 'unsent']);
  ok('it was seen to heal without a reload, and what was being typed is still there');

  await keyboard(page);
  await changes(page);
  await lostAndFound(page);

  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(agent);
  await plain.locator('.states a', { hasText: 'passing' }).click();
  await plain.locator('tr[id="orders.handshake"] a').click();
  assert.match(await plain.locator('#timeline').innerText(), /HTTP 101/);
  assert.equal(await plain.locator('.actions').isVisible(), false);
  await plain.locator('.runs a').last().click();
  assert.match(await plain.locator('#run-title').innerText(), /The run that you chose/);
  ok('without scripts, all is there but what may be changed');

  await denied(open);
  await closed(open);
  await fromTheReader(open);
  assert.deepEqual(page.complaints, []);
  assert.deepEqual([...new Set(loads)], [new URL(agent).origin]);
  ok('no complaint on the console, and nothing came from elsewhere');
});

async function keyboard(page) {
  await page.goto(agent);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.locator('.jobs a').first().focus();
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none');
  ok('the keyboard gets to the content, and focus is seen');
}

async function changes(page) {
  await page.goto(`${agent}/targets/orders/handshake`);
  const said = page.locator('.actions .said');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.locator('#token-value').fill('wrong');
  await page.getByRole('button', { name: 'Use it' }).click();
  await said.filter({ hasText: 'The token is wrong' }).waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.locator('#token-value').fill(token);
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.locator('.badge.large', { hasText: 'paused' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Run now' }).count(), 0);
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('.badge.large', { hasText: 'passing' }).waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  await said.filter({ hasText: /begins|in progress|out of turn/ }).waitFor();
  const kept = await page.evaluate(() => [localStorage.length, document.cookie, location.href]);
  assert.deepEqual(kept, [0, '', `${agent}/targets/orders/handshake`]);
  // A refusal is an answer of the server's, which a browser writes to its console.
  page.complaints = page.complaints.filter((complaint) => !complaint.includes('401') && !complaint.includes('409') && !complaint.includes('429'));
  ok('a pause and a run out of turn want the token, once, and keep it nowhere but in the tab');
}

async function lostAndFound(page) {
  await page.goto(agent);
  await page.locator('#live[data-state="on"]').waitFor();
  await page.context().setOffline(true);
  await page.evaluate(() => refresh());
  await page.locator('#live-lost').waitFor();
  assert.match(await page.locator('#live-lost').innerText(), /No word from the agent/);
  await page.context().setOffline(false);
  await page.evaluate(() => refresh());
  await page.locator('#live-lost').waitFor({ state: 'hidden' });
  page.complaints = page.complaints.filter((complaint) => !complaint.includes('ERR_INTERNET_DISCONNECTED'));
  ok('what can no longer be known is said, and not shown as green');
}

// The gateway of `denying` puts markup into its status line, its header and its body.
async function denied(open) {
  const page = await open();
  await page.goto(`${agent}/targets/denying/handshake`);
  await page.locator('.badge.large', { hasText: 'failing' }).waitFor({ timeout: 60_000 });
  for (const path of ['/', '/targets/denying/handshake']) {
    await page.goto(agent + path);
    await harmless(page, path);
  }
  // What the config promises is shown, and is only text.
  assert.match(await page.locator('.promises').innerText(), /<script>window\.executed=1<\/script><img src=x/);
  assert.deepEqual(page.complaints, []);
  ok('hostile text does nothing');
}

// The gateway of `closing` ends each connection by a Close 1008 with such a reason.
async function closed(open) {
  const page = await open();
  await page.goto(agent);
  await page.locator('tr[id="closing.handshake"] .what', { hasText: 'closed_early' }).waitFor({ timeout: 60_000 });
  await harmless(page, 'all checks');
  const { runs } = await (await fetch(`${agent}/api/v1/runs?target=closing&outcome=fail`)).json();
  const { id } = runs.find(({ reason }) => reason === 'closed_early');
  await page.goto(`${agent}/targets/closing/handshake?run=${id}`);
  await harmless(page, 'closing');
  const said = async (where) => page.locator(where).first().innerText();
  assert.match(await said('#timeline tr.end'), /gateway\s+Close 1008 \(policy\), 102 bytes/);
  assert.match(await said('.endings'), /the gateway began the end by Close 1008 \(policy\)/);
  assert.match(await said('.run .detail'), /the gateway closed with code 1008/);
  assert.deepEqual(page.complaints, []);

  // The text is not kept: whoever asks by other ways does not get it either.
  const ran = (event) => event.startsWith('event: run') && event.includes('"target":"closing"') && event.includes('"closed_early"');
  const answers = { news: await hear(agent, ran) };
  const run = `/api/v1/runs/${id}`;
  const more = ['/api/v1/status', '/api/v1/runs?target=closing', '/api/v1/targets/closing/checks/handshake', '/metrics'];
  for (const path of ['/', '/targets/closing/handshake', run, ...more]) {
    answers[path] = await (await fetch(agent + path)).text();
  }
  for (const [where, answer] of Object.entries(answers)) assert.doesNotMatch(answer, /executed|onerror|\u202e/, where);
  assert.match(answers[run], /"kind":"close","bytes":102,"code":1008/);
  ok('a hostile close reason does nothing: its code and its size are told, by the page, the API and the news');
}

// What stands in the address bar is shown as what was asked for, and is only text.
async function fromTheReader(open) {
  const page = await open();
  const text = encodeURIComponent('"><script>window.executed=1</script><img src=x onerror=window.executed=1>\u202e');
  // The search field keeps what was written into it.
  for (const path of [`/?q=${text.replace('%E2%80%AE', '')}`, `/targets/closing/handshake?run=${text}`, `/targets/closing/handshake?peer=${text}`]) {
    await page.goto(agent + path);
    await harmless(page, path);
  }
  assert.deepEqual(page.complaints, []);
  ok('hostile text in the address does nothing');
}
