// The life of a device, through MQTT.js, unchanged: MQTT 3.1.1 or MQTT 5.
//
//   node mqtt.mjs <port> <ca.pem> <chain.pem> <key.pem> <stranger.pem> <stranger.key> <ClientId> <version> <user or ->
//
// The steps are those of tests/python/steps.py. Each prints one line of JSON; the first surprise ends it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { load, step } from './common.mjs';

const mqtt = load('mqtt');
const [port, ca, chain, key, stranger, strangerKey, clientId, version, user] = process.argv.slice(2);

function connect(cert, key, more) {
  return mqtt.connect({
    host: 'localhost', port: Number(port), protocol: 'mqtts', clientId, keepalive: 30,
    protocolVersion: version === '5' ? 5 : 4, username: user === '-' ? undefined : user,
    ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key),
    reconnectPeriod: 1000, resubscribe: false, ...more,
  });
}

/** The messages that arrive, one after the other. */
function messages(device) {
  const arrived = [];
  const waiting = [];
  device.on('message', (topic, payload) => {
    const message = [topic, payload.toString()];
    if (waiting.length) waiting.shift()(message); else arrived.push(message);
  });
  return () => arrived.length ? Promise.resolve(arrived.shift()) : new Promise(done => waiting.push(done));
}

async function subscribe(device, ...topics) {
  for (const topic of topics) {
    const granted = await device.subscribeAsync(topic, { qos: 1 });
    assert.deepEqual(granted.map(one => [one.topic, one.qos]), [[topic, 1]]);
  }
}

setTimeout(() => { throw new Error('it takes longer than a minute'); }, 60_000).unref();

await step('client', async () => ({ version: load('mqtt/package.json').version }));

await step('refused', async () => {
  const other = connect(stranger, strangerKey, { reconnectPeriod: 0 });
  const [error] = await once(other, 'error').catch(error => [error]);
  await other.endAsync(true);
  return { code: error.code };
});

const device = connect(chain, key);
const next = messages(device);
const lost = [];
device.on('error', error => lost.push(String(error)));

await step('connect', async () => {
  const [connack] = await once(device, 'connect');
  return { code: connack.reasonCode ?? connack.returnCode };
});

await step('answers', async () => {
  await subscribe(device, 's/e', 's/ds', 's/dat');
  await device.publishAsync('s/us', '100,Name,c8y_Type\n101,pump-1,Pump,c8y_Pump\n110,4711,Box,1.0', { qos: 1 });
  await device.publishAsync('s/us', '123\n105\n100,Name,c8y_Type\n999,what', { qos: 1 });
  return { messages: [await next(), await next(), await next()].sort() };
});

await step('token', async () => {
  await device.publishAsync('s/uat', '');
  const [topic, message] = await next();
  assert.equal(topic, 's/dat');
  const [number, jwt] = message.split(',');
  assert.equal(number, '71');
  const [{ alg }, { sub }] = jwt.split('.').slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64url')));
  return { alg, sub };
});

await step('reconnect', async () => {
  const again = once(device, 'connect');
  if (version === '5') device.publish('s/us', '400,c8y_Last,Good bye', { retain: true });
  else device.publish('s/us', `400,c8y_Large,${'x'.repeat(16_200)}`);
  const [connack] = await again;
  await subscribe(device, 's/ds');
  await device.publishAsync('s/us', '123', { qos: 1 });
  return { code: connack.reasonCode ?? connack.returnCode, messages: [await next()] };
});

await device.endAsync();
