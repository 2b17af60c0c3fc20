// The page for the person at the line in a headless Chromium, by the keyboard alone.
//
//   node line.mjs <folder>
//
// The script writes issued.png, refused.png, small.png and printed.png into the folder. In the order acme gw-1 is issued
// and gw-2 is not. The service comes from PAGE, the token from TOKEN, the browser from CHROMIUM.

import assert from 'node:assert/strict';
import path from 'node:path';
import { launch, step, variable } from './common.mjs';

const HOSTILE = '<img src=x onerror=window.taken=1>"\'&<script>window.taken=1</script>';
const folder = process.argv[2];
const address = new URL(variable('PAGE'));
const asked = new Set();
const complaints = [];
const browser = await launch();
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.on('console', message => complaints.push(message.text()));
page.on('pageerror', error => complaints.push(`error: ${error}`));
page.on('request', request => { if (!request.url().startsWith('blob:') && !request.url().startsWith('data:')) asked.add(new URL(request.url()).origin); });

const text = id => page.evaluate(id => document.getElementById(id).textContent, id);
const focused = () => page.evaluate(() => document.activeElement.id);
const shot = name => page.screenshot({ path: path.join(folder, name) });

/** Waits until an element has this text. */
const says = (id, wanted) => page.waitForFunction(
  ([id, wanted]) => document.getElementById(id).textContent.includes(wanted), [id, wanted], { timeout: 15000 });

/** What a scanner does. */
async function scan(id) {
  await page.keyboard.type(id);
  await page.keyboard.press('Enter');
}

/** How well letters stand out (WCAG 2.2, "contrast ratio"). */
const contrast = id => page.evaluate(id => {
  const style = getComputedStyle(document.getElementById(id));
  const light = color => {
    const [r, g, b] = color.match(/\d+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}, id);

try {
  await step('nobody gets in without a token', async () => {
    const answer = await page.goto(address.href);
    assert.equal(answer.status(), 200);
    const policy = answer.headers()['content-security-policy'];
    assert.ok(policy.startsWith("default-src 'none'") && !policy.includes('unsafe'), policy);
    assert.equal(await focused(), 'token');
    await scan('c8y-pki-token-00');
    await says('wrong', 'not known');
    assert.ok(await page.isHidden('#work'));
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });

  await step('a token opens it', async () => {
    assert.equal(await focused(), 'token');
    await scan(variable('TOKEN'));
    await page.waitForSelector('#work:not([hidden])');
    assert.equal(await focused(), 'field');
    const orders = await page.evaluate(() => [...document.getElementById('order').options].map(one => one.textContent));
    assert.deepEqual(orders, ['acme', `other (${HOSTILE})`]);
    assert.ok(!page.url().includes('token'));
  });

  await step('green', async () => {
    await scan('gw-1');
    await says('word', 'ISSUED');
    await page.waitForFunction(() => document.querySelector('#label img')?.naturalWidth > 0);
    assert.equal(await text('id'), 'gw-1');
    assert.equal(await page.evaluate(() => document.getElementById('result').className), 'good');
    await says('today', '1');
    await says('rows', 'gw-1');
    assert.equal(await focused(), 'field');
    const pixels = await page.evaluate(() => parseFloat(getComputedStyle(document.getElementById('word')).fontSize));
    const ratio = await contrast('result');
    // 96 pixels of CSS are an inch: letters of 25 mm and more.
    assert.ok(pixels >= 120 && ratio >= 7, `${pixels} pixels, contrast ${ratio}`);
    await shot('issued.png');
    return { pixels, ratio };
  });

  await step('the label is printed alone, by the keyboard', async () => {
    await page.evaluate(() => { window.printed = 0; window.print = () => { window.printed += 1; }; });
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'print');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => window.printed), 1);
    assert.equal(await focused(), 'field');
    await page.emulateMedia({ media: 'print' });
    for (const hidden of ['header', '#scan', '#result', '#list', '#print']) assert.ok(await page.isHidden(hidden), hidden);
    const box = await page.locator('#label img').boundingBox();
    // 63.5 mm at 96 pixels an inch.
    assert.ok(Math.abs(box.width - 240) <= 1, JSON.stringify(box));
    await shot('printed.png');
    await page.emulateMedia({ media: 'screen' });
  });

  await step('red', async () => {
    await scan('gw-2');
    await says('word', 'NOT ISSUED');
    assert.equal(await page.evaluate(() => document.getElementById('result').className), 'bad');
    assert.ok(await page.isDisabled('#print'));
    assert.equal(await page.locator('#label img').count(), 0);
    await scan('gw-1');
    await page.waitForFunction(() => document.getElementById('word').textContent === 'ISSUED');
    await scan('nobody');
    await says('word', 'NOT IN ORDER');
    await says('why', 'has no device');
    assert.ok(await contrast('result') >= 7);
    await shot('refused.png');
    await scan(HOSTILE);
    await says('id', HOSTILE);
    await says('word', 'NOT IN ORDER');
    assert.equal(await page.locator('#result img, #result script').count(), 0);
  });

  await step('another order', async () => {
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'order');
    await page.keyboard.press('ArrowDown');
    await says('today', '0');
    await page.keyboard.press('Escape');
    assert.equal(await focused(), 'field');
    await scan('gw-1');
    await says('word', 'NOT IN ORDER');
    await page.selectOption('#order', 'acme');
  });

  await step('it is loaded again, and the network is gone', async () => {
    await page.reload();
    await page.waitForSelector('#work:not([hidden])');
    assert.equal(await page.inputValue('#order'), 'acme');
    await context.setOffline(true);
    await scan('gw-1');
    await says('word', 'NO ANSWER');
    await context.setOffline(false);
  });

  await step('small screen', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await scan('gw-1');
    await page.waitForFunction(() => document.querySelector('#label img')?.naturalWidth > 0);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390);
    await page.screenshot({ path: path.join(folder, 'small.png'), fullPage: true });
  });

  await step('it is left', async () => {
    await page.focus('#leave');
    await page.keyboard.press('Enter');
    assert.ok(await page.isHidden('#work'));
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.equal(await focused(), 'token');
  });

  await step('nothing else is run or asked', async () => {
    // The browser says so of each answer that is a refusal, and of a network that is gone.
    const strange = complaints.filter(said => !said.startsWith('Failed to load resource'));
    assert.deepEqual(strange, []);
    assert.deepEqual([...asked], [address.origin]);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.taken = 1';
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => window.taken), undefined);
    assert.ok(complaints.some(said => said.includes('Content Security Policy')), JSON.stringify(complaints));
  });
} finally {
  await browser.close();
}
