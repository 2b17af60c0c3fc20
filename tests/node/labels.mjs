// Labels as pictures: ZPL by zebrash, an interpreter of Zebra's language, SVG by Chromium.
//
//   node labels.mjs zpl <file> <width mm> <height mm> <dots in a mm> <folder>
//   node labels.mjs svg <folder of .svg> <folder>
//
// Writes one PNG for each label into the folder, in the order of the labels (of the names for SVG).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch, load } from './common.mjs';

const [kind, from, ...rest] = process.argv.slice(2);
const name = at => `${String(at).padStart(4, '0')}.png`;

if (kind === 'zpl') {
  const [width, height, dots, to] = rest;
  const { api } = await load('zpl-renderer-js').ready;
  const pictures = await api.zplToBase64MultipleAsync(
    fs.readFileSync(from, 'utf8'), Number(width), Number(height), Number(dots));
  pictures.forEach((picture, at) => fs.writeFileSync(path.join(to, name(at)), Buffer.from(picture, 'base64')));
  process.exit(0);
}

const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 600, height: 400 }, deviceScaleFactor: 2 });
  const complaints = [];
  page.on('console', message => complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  for (const [at, file] of fs.readdirSync(from).sort().entries()) {
    await page.goto(pathToFileURL(path.join(from, file)).href);
    // What is no well-formed XML has an error in it.
    assert.equal(await page.evaluate(() => document.querySelectorAll('parsererror').length), 0, file);
    assert.equal(await page.evaluate(() => document.querySelectorAll('script, image, foreignObject').length), 0);
    await page.locator('svg').first().screenshot({ path: path.join(rest[0], name(at)) });
  }
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
