// The page of a rollout in a headless Chromium: what a person sees of it.
//
//   node report.mjs <page> <picture>
//
// Prints as JSON what stands under each heading, row by row; the picture is written for people. The
// browser comes from CHROMIUM.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { launch } from './common.mjs';

const [file, picture] = process.argv.slice(2);
const complaints = [];
const asked = [];

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', error => complaints.push(`error: ${error}`));
  page.on('request', request => asked.push(request.url()));
  const { href } = pathToFileURL(file);
  await page.goto(href);
  const seen = await page.evaluate(() => ({
    title: document.title,
    cards: [...document.querySelectorAll('.cards li')].map(card => card.innerText.split('\n')),
    verdict: document.querySelector('.verdict').innerText,
    facts: [...document.querySelectorAll('.facts dt')].map(dt => [dt.innerText, dt.nextElementSibling.innerText]),
    failures: [...document.querySelectorAll('.failure')].map(one => ({
      head: one.querySelector('h3').innerText,
      text: one.innerText,
      ids: one.querySelector('pre').innerText.split('\n'),
    })),
    line: document.querySelector('.line')?.innerText.split('\n') ?? null,
    alert: document.querySelector('[role=alert]')?.innerText ?? null,
    tables: Object.fromEntries([...document.querySelectorAll('h2')].map(heading => [
      heading.innerText,
      [...(heading.nextElementSibling?.querySelectorAll('tbody tr'))].map(row =>
        [...row.cells].map(cell => cell.innerText)),
    ])),
    bars: [...document.querySelectorAll('.chart li')].map(bar =>
      [bar.title, bar.querySelector('div').getBoundingClientRect().height]),
  }));
  // One click takes all ids of a failure to the clipboard.
  const ids = page.locator('pre.ids').first();
  if (await ids.count()) {
    await ids.click();
    const copied = await page.evaluate(() => getSelection().toString());
    assert.deepEqual(copied.trim().split('\n'), seen.failures[0].ids);
  }
  await page.screenshot({ path: picture, fullPage: true });
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    const [back, text] = await page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map(of => Number(of.match(/\d+/)[0]));
    });
    assert.equal(back < text, colorScheme === 'dark', `${colorScheme}: ${back} on ${text}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `on a small screen the page is ${wide} wide`);
  const cut = await page.evaluate(() => [...document.querySelectorAll('td, dd, h1, h3, li, p')]
    .filter(one => one.getClientRects().length && one.getBoundingClientRect().right > 391).map(one => one.outerHTML));
  assert.deepEqual(cut, [], 'on a small screen nothing has to be moved sideways');
  await page.screenshot({ path: picture.replace(/png$/, 'small.png'), fullPage: true });
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 720, height: 1000 });
  const lost = await page.evaluate(() => [...document.querySelectorAll('pre.ids')]
    .filter(one => one.scrollHeight > one.clientHeight + 1).length);
  assert.equal(lost, 0, 'on paper every id is there');
  assert.deepEqual(complaints, []);
  assert.deepEqual(asked, [href], 'it loads nothing else');
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
