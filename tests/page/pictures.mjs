// Takes the pictures of the page for the documentation: `node pictures.mjs GATEPROBE FOLDER`. Starts reference gateways and
// an agent that watches them, breaks some, and keeps what the page shows.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browse } from './browser.mjs';

const [program, folder] = process.argv.slice(2);
const work = await mkdtemp(join(tmpdir(), 'gateprobe-pictures-'));
const children = [];
process.on('exit', () => children.forEach((child) => child.kill()));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

function start(...args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

// The first line of a stream that matches; the rest is read and thrown away.
function line(stream, pattern) {
  return new Promise((found) => createInterface({ input: stream }).on('line', (text) => {
    const match = text.match(pattern);
    if (match) found(match[1] ?? match[2]);
  }));
}

async function gateway() {
  const child = start('gateway', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--json', '--heartbeat-interval', '1s', '--heartbeat-timeout', '2s');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const told = async () => (await lines.next()).value.split(' ')[1];
  return { url: await told(), control: await told() };
}

const fault = (gateway, name, value = '') => fetch(`${gateway.control}faults/${name}`, { method: 'PUT', body: value });

try {
  const names = ['chat-eu', 'chat-us', 'orders', 'presence', 'prices'];
  const gateways = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await gateway()])));
  const targets = names.map((name) => `  ${name}: { url: '${gateways[name].url}', dialect: json }\n`).join('');
  await writeFile(join(work, 'token'), 'a-token\n');
  await writeFile(join(work, 'gateprobe.yaml'), `location: frankfurt
http: { listen: '127.0.0.1:0', token_file: '${join(work, 'token')}' }
log: { format: json }
lag_bound: 1s
defaults:
  slo: { objective: 99.5% }
  checks:
    handshake: { interval: 3s, timeout: 1500ms, close_timeout: 500ms }
    heartbeat: { interval: 6s, timeout: 4s, connect_timeout: 1s, pong_timeout: 1s, pings: 5, every: 200ms }
    zombie: { interval: 9s, timeout: 8500ms, connect_timeout: 1s, pong_timeout: 1s, close_timeout: 1s, tolerance: 500ms, beat_within: 1s, window: { earliest: 2s, latest: 2s } }
targets:
${targets}`);
  const agent = start('run', '--config', join(work, 'gateprobe.yaml'));
  agent.on('exit', (code) => { if (code) throw new Error('the agent ended: is the config good?'); });
  const address = `http://${await line(agent.stderr, /"started".*?"address":"([^"]+)"|"address":"([^"]+)".*?"started"/)}`;
  await browse(async (open) => {
    const page = await open();
    await page.goto(address);
    const badge = (row, state) => page.locator(`tr[id="${row}"] .badge`, { hasText: state }).waitFor({ timeout: 120_000 });
    for (const name of names) await badge(`${name}.handshake`, 'passing');
    await page.waitForTimeout(60_000);
    await fault(gateways.presence, 'zombies_kept');
    await fault(gateways.orders, 'upgrade_status', '503');
    const pause = { method: 'POST', headers: { authorization: 'Bearer a-token' } };
    await fetch(`${address}/api/v1/targets/prices/checks/zombie/pause?for=45m`, pause);
    await badge('orders.handshake', 'failing');
    await badge('presence.zombie', 'failing');
    await page.context().close();
    const pictures = [
      ['page-overview', '/', 'light', 1280, 860], ['page-overview-dark', '/', 'dark', 1280, 860],
      ['page-phone', '/', 'dark', 390, 844],
      ['page-check', '/targets/presence/zombie', 'light', 1280, 1010],
      ['page-check-dark', '/targets/orders/handshake', 'dark', 1280, 1200],
    ];
    for (const [name, path, colorScheme, width, height] of pictures) {
      const other = await open({ viewport: { width, height }, colorScheme });
      await other.goto(address + path);
      await other.locator('#live[data-state="on"]').waitFor();
      await other.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
      console.log(`${name}.png`);
      await other.context().close();
    }
  });
} finally {
  children.forEach((child) => child.kill());
  await rm(work, { recursive: true, force: true });
}
