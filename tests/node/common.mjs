// What both scripts need: other people's packages, the tenant from the environment, and steps that
// stop the script at the first surprise.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// The packages can be installed elsewhere than beside these scripts: imports would not find them.
const beside = fileURLToPath(new URL('node_modules', import.meta.url));
const modules = process.env.C8Y_PKI_NODE_MODULES ?? beside;

/** Loads an installed package. */
export const load = createRequire(path.join(path.resolve(modules), 'from-here.cjs'));

/** A variable that has to be set. */
export function variable(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

/** A Chromium without a screen, which asks nobody for anything by itself. */
export function launch() {
  const { chromium } = load('playwright-core');
  return chromium.launch({
    executablePath: variable('CHROMIUM'),
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** The tenant, as the platform's tools are told of it. */
export function tenant() {
  return {
    url: variable('C8Y_HOST'),
    credentials: {
      tenant: variable('C8Y_TENANT'),
      user: variable('C8Y_USER'),
      password: variable('C8Y_PASSWORD'),
    },
  };
}

/** Does one thing, and prints it as one line of JSON with the facts that the step returns. */
export async function step(name, work) {
  try {
    const facts = await work();
    console.log(JSON.stringify({ step: name, ...facts }));
  } catch (error) {
    throw new Error(`${name}: ${told(error)}`);
  }
}

// @c8y/client throws an object of its own when the answer is an error.
function told(error) {
  return error?.res ? `status ${error.res.status}: ${JSON.stringify(error.data)}` : String(error?.stack ?? error);
}

/** Holds a call to being refused with this status and a JSON error that names itself. */
export async function refused(status, error, call) {
  let answer;
  try {
    await call();
  } catch (thrown) {
    answer = thrown;
  }
  assert.ok(answer?.res, answer ? `no answer: ${answer}` : `accepted, where ${status} was to come`);
  assert.equal(answer.res.status, status, JSON.stringify(answer.data));
  assert.equal(typeof answer.data?.message, 'string', 'the error has no message');
  assert.match(answer.data.error, error);
  return { status, error: answer.data.error };
}
