// The pages of canaries in a real browser, against a real agent: `node canaries.mjs AGENT TOKEN`. AGENT is where the agent
// serves, TOKEN its token; its targets are `stable` and `next`, which are well, `denying` and `closing`, which say hostile
// things. Prints a line for each thing that holds.

import assert from 'node:assert/strict';
import { browse, ok } from './browser.mjs';
import { harmless, inEveryLook } from './looks.mjs';
import { hear } from './news.mjs';

const [agent, token] = process.argv.slice(2);
const api = `${agent}/api/v1/canary`;
const listed = `${agent}/canaries`;
const authorization = `Bearer ${token}`;

async function start(request) {
  const answer = await fetch(api, { method: 'POST', headers: { authorization }, body: JSON.stringify(request) });
  assert.equal(answer.status, 202);
  return (await answer.json()).data.id;
}

const look = async (id) => (await (await fetch(`${api}/${id}`)).json()).data;
const shown = (id) => `${listed}/${id}`;

// Opens a page that hears of nothing but by the stream of news: it would ask every 10 s as well.
async function openLive(open, address) {
  const page = await open();
  await page.addInitScript(() => { window.setInterval = () => 0; });
  await page.goto(address);
  await page.locator('#live[data-state="on"]').waitFor();
  await page.evaluate(() => { window.untouched = true; });
  return page;
}

await browse(async (open) => {
  assert.equal((await fetch(api, { method: 'POST', body: '{"canary":"next"}' })).status, 401);
  const empty = await openLive(open, listed);
  assert.match(await empty.locator('.empty').innerText(), /No canary has been verified/);
  // Runs of this one go on for minutes.
  const long = await start({ baseline: 'stable', canary: 'next', profile: 'full', checks: ['heartbeat'] });
  const row = empty.locator(`tr[id="canary-${long}"]`);
  await row.locator('.badge', { hasText: 'pending' }).waitFor();
  assert.match(await row.innerText(), /next against stable/);
  ok('whoever shows the token starts a verification, and the list shows it by itself');

  const handshakes = (canary, baseline) => start({ canary, baseline, checks: ['handshake'] });
  const passed = await handshakes('stable');
  const failed = { denying: await handshakes('denying', 'stable'), closing: await handshakes('closing', 'stable') };
  const all = [passed, ...Object.values(failed)];
  for (const id of all) await empty.locator(`tr[id="canary-${id}"] .badge`, { hasText: /pass|fail|inconclusive/ }).waitFor({ timeout: 60_000 });
  assert.equal(await empty.evaluate(() => window.untouched), true);
  const page = await open();
  for (const id of all) await told(page, id);
  ok('each verdict stands in the list and on a page of its own, with its sentence');

  await hostile(page, failed);
  await running(open, long);

  await inEveryLook(open, [listed, ...[long, passed, failed.closing].map(shown)], named);
  ok('no serious violation of accessibility in either theme and width, and nothing is cut off');

  await cancelled(open, long, empty);
  await inEveryLook(open, [shown(long)], named);
  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(listed);
  await plain.locator(`tr[id="canary-${failed.closing}"] a`).click();
  assert.match(await plain.locator('main').innerText(), /closed_early/);
  ok('without scripts, all is there');

  for (const one of [empty, page, plain]) assert.deepEqual(one.complaints, []);
});

// The verdict and the sentence, as the API tells them.
async function told(page, id) {
  const report = await look(id);
  assert.equal(report.verdict, report.gateways.baseline ? 'fail' : 'pass', report.sentence);
  for (const [address, where] of [[listed, `tr[id="canary-${id}"]`], [shown(id), 'main']]) {
    await page.goto(address);
    assert.equal(await page.locator(`${where} .badge`).first().innerText(), report.verdict);
    assert.ok((await page.locator(where).innerText()).includes(report.sentence), `${address}: ${report.sentence}`);
  }
}

// What the failed runs said is told in our words; the gateways' are nowhere.
async function hostile(page, { denying, closing }) {
  for (const [id, reason, detail] of [[denying, 'server_error', 'status 500'], [closing, 'closed_early', 'closed with code 1008']]) {
    await page.goto(shown(id));
    await harmless(page, reason);
    const said = page.locator('.evidence li').filter({ hasText: reason });
    assert.match(await said.innerText(), new RegExp(`canary handshake: ${reason} .*${detail}`));
    const answers = await Promise.all([shown(id), `${api}/${id}`].map(async (path) => (await fetch(path)).text()));
    for (const answer of answers) assert.doesNotMatch(answer, /executed|onerror|\u202e/);
  }
  ok('hostile text of a gateway is no evidence, and does nothing');
}

// A verification that runs is followed without a reload.
async function running(open, id) {
  const page = await openLive(open, shown(id));
  const made = async () => Number((await page.locator('main .why').innerText()).match(/^(\d+) of 200 runs are made$/)[1]);
  const before = await made();
  await page.waitForFunction(([was]) => parseInt(document.querySelector('main .why').textContent, 10) > was, [before]);
  assert.equal(await page.locator('main .badge').innerText(), 'pending');
  const [value, words] = await page.locator('progress').evaluate((bar) => [bar.value, bar.parentElement.innerText]);
  assert.ok(value > 0 && value < 1 && /^\s*\d+ %$/.test(words), `${value} ${words}`);
  assert.equal(await page.evaluate(() => window.untouched), true);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
  ok('one that runs is followed without a reload');
}

// One that is cancelled ends before the eyes of whoever looks.
async function cancelled(open, id, list) {
  const page = await openLive(open, shown(id));
  const ended = (event) => event.startsWith('event: canary') && event.includes(id);
  await hear(agent, ended, async () => {
    assert.equal((await fetch(`${api}/${id}`, { method: 'DELETE' })).status, 401);
    const answer = await fetch(`${api}/${id}`, { method: 'DELETE', headers: { authorization } });
    assert.equal(answer.status, 200);
  });
  for (const [where, scope] of [[page, 'main'], [list, `tr[id="canary-${id}"]`]]) {
    await where.locator(`${scope} .badge`, { hasText: 'inconclusive' }).first().waitFor();
    assert.match(await where.locator(scope).innerText(), /cancelled/);
    assert.equal(await where.evaluate(() => window.untouched), true);
  }
  const { verdict, sentence } = await look(id);
  assert.equal(verdict, 'inconclusive');
  assert.ok((await page.locator('main').innerText()).includes(sentence), sentence);
  assert.deepEqual(page.complaints, []);
  ok('a cancelled one is seen to end without a reload');
}

// Each number says what it is, by the head of its column or, where that is left out, by itself.
async function named(page, _, where) {
  const unnamed = await page.locator('.compared td.num').evaluateAll((cells) => cells
    .filter((cell) => cell.closest('table').tHead.offsetHeight < 10 && getComputedStyle(cell, '::before').content === 'none').length);
  assert.equal(unnamed, 0, where);
}
