// What holds of every page, in every look: both themes, both widths.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { require, WIDTHS } from './browser.mjs';

const axe = await readFile(require.resolve('axe-core'), 'utf8');

// Opens each address in each look: nothing is cut off, axe finds nothing serious, no text does anything, and the console
// is silent. `more` is asked of each page as well.
export async function inEveryLook(open, addresses, more = async () => {}) {
  for (const [width, viewport] of Object.entries(WIDTHS)) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open({ viewport, colorScheme });
      for (const address of addresses) {
        const where = `${address}, ${width}, ${colorScheme}`;
        await page.goto(address);
        await fits(page, where);
        await accessible(page, where);
        await harmless(page, where);
        await more(page, address, where);
      }
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    }
  }
}

// Nothing in the page was executed, is an element that it did not make, or turns the direction of text.
export async function harmless(page, where) {
  const found = await page.evaluate(() => [
    window.executed, document.querySelectorAll('main script, main img, main iframe').length,
    /[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(document.documentElement.outerHTML + document.title),
  ]);
  assert.deepEqual(found, [undefined, 0, false], where);
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
