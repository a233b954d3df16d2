// Takes the pictures: bundles and serves the page together with the answers, opens each dashboard in Chromium, and keeps
// what it shows as a PNG of few colours. `node draw.mjs ANSWERS FOLDER`

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFile, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import UPNG from 'upng-js';

const PICTURES = {
  overview: 'board=overview',
  slo: 'board=slo',
  check: 'board=check&rows=top,handshake,heartbeat,zombie',
  'check-more': 'board=check&rows=token_refresh,network_switch,hold,flapping,malformed,What',
  canary: 'board=canary',
  agent: 'board=agent',
};
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.woff2': 'font/woff2' };
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const require = createRequire(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));
const [answers, folder] = process.argv.slice(2);
const chrome = process.env.CHROMIUM ?? join(here, '../../../.tools/bin/chromium');

const page = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="main.css"><div id="root"></div><script src="main.js"></script>';
const work = await mkdtemp(join(tmpdir(), 'gateprobe-pictures-'));
await build({
  entryPoints: [join(here, 'src/main.jsx')],
  outdir: join(work, 'page'),
  bundle: true,
  format: 'iife',
  jsx: 'automatic',
  // The ES modules of this release import names that they do not export; and all must mean the same copy of the data model.
  alias: { '@grafana/ui': require.resolve('@grafana/ui'), '@grafana/data': require.resolve('@grafana/data') },
  // Fonts of an editor that no panel uses are left out.
  loader: { '.woff2': 'file', '.woff': 'empty', '.ttf': 'empty', '.svg': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'error',
});
await writeFile(join(work, 'page/index.html'), page);

const server = createServer(async ({ url }, response) => {
  const path = new URL(url, 'http://localhost').pathname;
  const file = path === '/answers.json' ? answers : join(work, 'page', path === '/' ? 'index.html' : path);
  try {
    const content = await readFile(file);
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launchPersistentContext(join(work, 'profile'), { executablePath: chrome, args: FLAGS, viewport: { width: 1600, height: 1000 } });
try {
  for (const [name, query] of Object.entries(PICTURES)) {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`${name}: ${error.stack}`));
    await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);
    const board = page.locator('#board');
    await board.waitFor();
    await page.waitForLoadState('networkidle');
    const picture = UPNG.decode(await board.screenshot({ animations: 'disabled' }));
    const small = Buffer.from(UPNG.encode(UPNG.toRGBA8(picture), picture.width, picture.height, 256));
    await writeFile(join(folder, `${name}.png`), small);
    console.log(`${name}.png ${picture.width}x${picture.height} ${Math.round(small.length / 1024)} KiB`);
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
  await rm(work, { recursive: true, force: true });
}
