// The page in a real browser, against a real agent: `node page.mjs AGENT CONTROL TOKEN`. AGENT is where the agent serves,
// CONTROL the control API of its gateway `orders`, TOKEN the agent's token. Prints a line for each thing that holds.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { browse, require, WIDTHS } from './browser.mjs';

const axe = await readFile(require.resolve('axe-core'), 'utf8');
const [agent, control, token] = process.argv.slice(2);

const ok = (what) => console.log(`ok: ${what}`);
const state = (page, row) => page.locator(`tr[id="${row}"] .badge`);

async function fault(method, body) {
  const path = method === 'PUT' ? 'faults/upgrade_status' : 'faults';
  const answer = await fetch(`${control}${path}`, { method, body });
  assert.equal(answer.status, 204);
}

// What axe finds to be serious, by the guidelines of WCAG 2.2 A and AA.
async function accessible(page, where) {
  // By the debugger: the page's policy allows no script but its own.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(' ')}`);
  assert.deepEqual(told, [], where);
}

// Nothing may be wider than the window.
async function fits(page, where) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${where}: ${wide} px in ${window} px`);
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
  // `hostile` has been failing for longer.
  assert.deepEqual(ids, ['hostile.handshake', 'orders.handshake']);
  assert.match(await page.title(), /2 failing/);
  ok('the failing check turned red by itself');

  await page.locator('tr[id="orders.handshake"] a').click();
  await page.getByRole('heading', { name: /The last failure/ }).waitFor();
  assert.match(await page.locator('#timeline').innerText(), /HTTP 503/);
  assert.match(await page.locator('.verdict').first().innerText(), /unavailable/);
  ok('one click from all checks to the failing run');

  for (const [width, viewport] of Object.entries(WIDTHS)) {
    for (const colorScheme of ['light', 'dark']) {
      const other = await open({ viewport, colorScheme });
      for (const path of ['/', '/targets/orders/handshake', '/canaries', '/runbooks/GateprobeCheckFailing']) {
        const where = `${path}, ${width}, ${colorScheme}`;
        await other.goto(agent + path);
        await fits(other, where);
        await accessible(other, where);
      }
      assert.deepEqual(other.complaints, []);
      await other.context().close();
    }
  }
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

  await hostile(open);
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

// The gateway of `hostile` puts markup into all that it may say.
async function hostile(open) {
  const page = await open();
  page.on('dialog', () => { throw new Error('hostile text was executed'); });
  await page.goto(`${agent}/targets/hostile/handshake`);
  await page.locator('.badge.large', { hasText: 'failing' }).waitFor({ timeout: 60_000 });
  for (const path of ['/', '/targets/hostile/handshake']) {
    await page.goto(agent + path);
    const found = await page.evaluate(() => [
      window.executed, document.querySelectorAll('main script, main img, main iframe').length,
      /[\u202a-\u202e\u2066-\u2069\u0000-\u0008]/.test(document.body.innerText),
    ]);
    assert.deepEqual(found, [undefined, 0, false], path);
  }
  assert.deepEqual(page.complaints, []);
  ok('hostile text does nothing');
}
