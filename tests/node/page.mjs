// The sandbox's page in a headless Chromium, while things happen.
//
//   node page.mjs <folder>
//
// The folder holds ca.pem and devices.csv; the script writes page.png and small.png into it.
// A client of MQTT, whose ClientId, object and event are called like HOSTILE, is connected meanwhile.
// The tenant comes from C8Y_HOST, C8Y_TENANT, C8Y_USER and C8Y_PASSWORD, the page from C8Y_MANAGEMENT,
// the browser from CHROMIUM, trust in the server from NODE_EXTRA_CA_CERTS.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { launch, load, step, tenant, variable } from './common.mjs';

const { Client, TrustedCertificateService } = load('@c8y/client');

const HOSTILE = '<img src=x onerror=window.taken=1>"\'&<script>window.taken=1</script>\u202e\u200b';
// What is hidden in it is written out.
const SHOWN = HOSTILE.replace('\u202e', '\\u{202e}').replace('\u200b', '\\u{200b}');
const folder = process.argv[2];
const { url, credentials } = tenant();
const address = new URL(variable('C8Y_MANAGEMENT'));
const banner = 'Sandbox: not a Cumulocity tenant';
const complaints = [];
const asked = new Set();
let browser, page, client, trusted;

/** What is no tenant's stands above them: the heads of those tables. */
const ABOVE = ['Newest first', 'Refused', 'Connected devices'];

/** The rows of the table whose heading starts so, among those of the tenant, as lists of texts. */
const rows = heading => page.evaluate(([tenant, start, above]) => {
  const titles = [...document.querySelectorAll('h2, h3')];
  const first = titles.findIndex(title => title.textContent === `Tenant ${tenant}`);
  const title = titles.slice(above ? 0 : first + 1).find(title => title.textContent.startsWith(start));
  return [...(title?.nextElementSibling?.querySelectorAll('tbody tr') ?? [])].map(row =>
    [...row.cells].map(cell => cell.textContent));
}, [credentials.tenant, heading, ABOVE.includes(heading)]);

/** Waits until a cell of that table has this text; the page is not loaded again. */
async function appears(heading, text) {
  for (const until = Date.now() + 15000; Date.now() < until; await page.waitForTimeout(100)) {
    if ((await rows(heading)).some(row => row.includes(text))) return;
  }
  assert.fail(`${heading}: no ${JSON.stringify(text)} in ${JSON.stringify(await rows(heading))}`);
}

async function open() {
  browser = await launch();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', error => complaints.push(`error: ${error}`));
  page.on('dialog', dialog => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => asked.add(request.url()));
  page.on('requestfailed', request => complaints.push(`failed: ${request.url()}`));
  const answer = await page.goto(address.href);
  assert.equal(answer.status(), 200);
  await page.evaluate(() => { window.loadedOnce = true; });
}

try {
  await step('open', async () => {
    await open();
    assert.equal(await page.title(), banner);
    const heading = page.getByRole('heading', { level: 1 });
    assert.equal(await heading.textContent(), banner);
    const look = await heading.evaluate(h => {
      const box = h.parentElement.getBoundingClientRect();
      return { back: getComputedStyle(h.parentElement).backgroundColor, width: box.width, top: box.top };
    });
    const [red, green, blue] = look.back.match(/\d+/g).map(Number);
    assert.ok(red > 150 && green < 80 && blue < 80, `the banner is ${look.back}`);
    assert.deepEqual([look.width, look.top], [1280, 0], 'the banner goes over the whole page');
    await page.getByText('Requests', { exact: true }).waitFor();
    const heads = await page.locator('h2').allTextContents();
    assert.equal(heads[0], 'Requests', 'what one watches comes first');
    assert.deepEqual(await rows('Trusted certificates'), []);
    return look;
  });

  await step('a certificate appears', async () => {
    client = await Client.authenticate(credentials, url);
    trusted = new TrustedCertificateService(client.core);
    const { data } = await trusted.create({
      name: HOSTILE, status: 'ENABLED', certInPemFormat: fs.readFileSync(path.join(folder, 'ca.pem'), 'utf8'),
    });
    await appears('Trusted certificates', SHOWN);
    await appears('Trusted certificates', data.fingerprint);
    return { fingerprint: data.fingerprint };
  });

  await step('devices appear', async () => {
    const file = fs.readFileSync(path.join(folder, 'devices.csv'));
    const { data } = await client.deviceRegistrationBulk.create(file);
    assert.equal(data.numberOfCreated, 2, JSON.stringify(data));
    await appears('Devices', 'gw-1');
    await appears('Devices', SHOWN);
  });

  await step('connections appear', async () => {
    const answer = await client.core.fetch('/tenant/%3Cimg%20src=x%20onerror=window.taken=1%3E', { method: 'POST' });
    assert.equal(answer.status, 404);
    const stranger = { ...credentials, user: HOSTILE.replaceAll(':', ''), password: 'wrong' };
    await assert.rejects(Client.authenticate(stranger, url));
    await appears('Newest first', '/devicecontrol/bulkNewDeviceRequests');
    await appears('Newest first', '404');
    await appears('Newest first', '401');
    // Who was refused stands by itself, above.
    await appears('Refused', '/tenant/%3Cimg%20src=x%20onerror=window.taken=1%3E');
    // Who looks something up and finds nothing was answered.
    const found = await client.core.fetch('/identity/externalIds/c8y_Serial/nobody');
    assert.equal(found.status, 404);
    await appears('Newest first', '/identity/externalIds/c8y_Serial/nobody');
    assert.equal((await client.core.fetch('/favicon.ico')).status, 404);
    await appears('Newest first', '/favicon.ico');
    const refused = (await rows('Refused')).flat();
    assert.ok(!refused.some(text => /nobody|favicon/.test(text)), 'a look-up counts as refused');
    return { newest: (await rows('Newest first')).slice(0, 3) };
  });

  await step('connected devices appear', async () => {
    // The test has a client of MQTT connected, which calls itself so and has made its object.
    await appears('Connected devices', SHOWN);
    await appears('Connected devices', 'MQTT 3.1.1');
    await appears('Not registered', `${SHOWN} (t)`);
    await appears('Events', SHOWN);
    await appears('Newest first', 'CONNECT');
  });

  await step('a certificate goes', async () => {
    const [{ fingerprint }] = (await trusted.list()).data;
    await trusted.delete(fingerprint);
    await appears('Newest first', '204');
    assert.deepEqual(await rows('Trusted certificates'), []);
    await trusted.create({
      name: HOSTILE, status: 'ENABLED', certInPemFormat: fs.readFileSync(path.join(folder, 'ca.pem'), 'utf8'),
    });
    await appears('Trusted certificates', SHOWN);
  });

  await step('nothing was taken for HTML', async () => {
    assert.equal(await page.evaluate(() => window.taken), undefined);
    assert.equal(await page.locator('img, main script, iframe, svg').count(), 0);
    assert.equal(await page.evaluate(() => window.loadedOnce), true, 'the page was loaded again');
    assert.deepEqual(complaints, []);
    assert.deepEqual([...asked].map(one => new URL(one).origin).filter(one => one !== address.origin), []);
    const text = await page.content();
    assert.ok(!text.includes(credentials.password), 'the page tells the password');
    await page.screenshot({ path: path.join(folder, 'page.png'), fullPage: true });
    assert.ok(![...asked].some(one => one.includes('state.json')), 'the page asks for everything');
    return { asked: [...asked].slice(0, 5) };
  });

  await step('very many refusals', async () => {
    const refused = () => client.core.fetch('/tenant/nothing', { method: 'POST' }).then(answer => assert.equal(answer.status, 404));
    for (let sent = 0; sent < 1000; sent += 50) await Promise.all(Array.from({ length: 50 }, refused));
    // Look-ups do not push them off the page.
    for (let sent = 0; sent < 1000; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, () => client.core.fetch('/identity/externalIds/c8y_Serial/nobody')));
    }
    await page.getByText('1000 or more', { exact: true }).waitFor({ timeout: 15000 });
    const card = page.locator('ul.cards li', { hasText: '1000 or more' });
    assert.equal(await card.textContent(), '1000 or morerefused');
    assert.equal((await rows('Refused'))[0][0], '/tenant/nothing');
    await page.screenshot({ path: path.join(folder, 'many.png') });
  });

  await step('small screen', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.screenshot({ path: path.join(folder, 'small.png') });
    assert.ok(wide <= 390, `the page is ${wide} pixels wide`);
  });
} finally {
  await browser?.close();
}
