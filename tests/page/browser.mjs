// A browser with an empty profile, and what all scripts here want of it.

import { createRequire } from 'node:module';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// The packages are installed by tests/tools/install.
const tools = fileURLToPath(new URL('../../.tools/', import.meta.url));
export const require = createRequire(pathToFileURL(join(tools, 'npm/index.js')));
const { chromium } = require('playwright-core');

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--hide-scrollbars',
];

export const WIDTHS = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };

// Calls `work` with a function that opens pages; each remembers what its console complained of.
export async function browse(work) {
  const profile = await mkdtemp(join(tmpdir(), 'gateprobe-page-'));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? join(tools, 'bin/chromium'), args: FLAGS });
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: WIDTHS.desktop, colorScheme: 'light', ...options });
    const page = await context.newPage();
    page.complaints = [];
    page.on('console', (message) => { if (message.type() === 'error') page.complaints.push(message.text()); });
    page.on('pageerror', (error) => page.complaints.push(String(error)));
    return page;
  };
  try {
    return await work(open);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  }
}

export const ok = (what) => console.log(`ok: ${what}`);
