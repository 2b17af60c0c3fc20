// The life of trusted certificates through @c8y/client, the platform's own client, unchanged.
//
//   node trusted.mjs <folder>
//
// The folder holds rsa.pem and rsa.key, ec.pem and ec.key (CAs), leaf.pem (no CA), devices.csv
// (registration) and revoked.csv; the script writes crl.der into it. The tenant comes from C8Y_HOST,
// C8Y_TENANT, C8Y_USER and C8Y_PASSWORD, trust in its server from NODE_EXTRA_CA_CERTS.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { load, refused, step, tenant } from './common.mjs';

const { Client, CrlService, TrustedCertificateService } = load('@c8y/client');
const folder = process.argv[2];
const read = name => fs.readFileSync(path.join(folder, name));
const { url, credentials } = tenant();
const rsa = authority('rsa');
const ec = authority('ec');
let client, trusted, crl;

function authority(name) {
  const pem = read(`${name}.pem`).toString();
  const fingerprint = new crypto.X509Certificate(pem).fingerprint.replaceAll(':', '').toLowerCase();
  return { pem, fingerprint, key: crypto.createPrivateKey(read(`${name}.key`)) };
}

/** A PEM without its lines: what the client's own example sends. */
const bare = pem => pem.replace(/-----[A-Z ]+-----/g, '').replace(/\s/g, '');

const sign = (key, text) => crypto.sign('sha256', Buffer.from(text), key).toString('base64');

/** Holds a certificate to what the platform says of each. */
function whole(certificate, fingerprint) {
  const x509 = new crypto.X509Certificate(certificate.certInPemFormat.includes('BEGIN')
    ? certificate.certInPemFormat.replace(/(-----BEGIN CERTIFICATE-----)\s*/, '$1\n').replace(/\s*(-----END)/, '\n$1')
    : Buffer.from(certificate.certInPemFormat, 'base64'));
  assert.equal(x509.fingerprint.replaceAll(':', '').toLowerCase(), fingerprint);
  assert.equal(certificate.fingerprint, fingerprint);
  const same = (name, at) => {
    assert.match(certificate[name], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, name);
    assert.equal(Date.parse(certificate[name]), Date.parse(at), name);
  };
  same('notBefore', x509.validFrom);
  same('notAfter', x509.validTo);
  assert.equal(BigInt(`0x${x509.serialNumber}`), serial(certificate.serialNumber), 'serialNumber');
  for (const name of ['algorithmName', 'issuer', 'name', 'self', 'status', 'subject']) {
    assert.equal(typeof certificate[name], 'string', name);
  }
  assert.equal(Number(certificate.version), 3);
  assert.equal(typeof certificate.autoRegistrationEnabled, 'boolean');
  assert.equal(typeof certificate.proofOfPossessionValid, 'boolean');
}

/** A serial number: the source does not say whether it is written in hex or in digits. */
function serial(text) {
  const x509 = [rsa, ec].map(({ pem }) => BigInt(`0x${new crypto.X509Certificate(pem).serialNumber}`));
  const read = [text, `0x${text}`].filter(t => /^(0x[0-9a-f]+|\d+)$/i.test(t)).map(BigInt);
  return read.find(value => x509.includes(value));
}

await step('wrong password', () => refused(401, /^security\/Unauthorized$/, () =>
  Client.authenticate({ ...credentials, password: 'wrong' }, url)));

await step('authenticate', async () => {
  client = await Client.authenticate(credentials, url);
  trusted = new TrustedCertificateService(client.core);
  crl = new CrlService(client.core);
  assert.equal(client.core.tenant, credentials.tenant);
  const { data: user } = await client.user.current();
  assert.equal(user.userName, credentials.user);
  return { tenant: client.core.tenant, user: user.userName };
});

await step('empty list', async () => {
  const { res, data, paging } = await trusted.list();
  assert.equal(res.status, 200);
  assert.deepEqual(data, []);
  assert.equal(paging.currentPage, 1);
});

await step('create', async () => {
  const { res, data } = await trusted.create({
    name: 'Line 7', status: 'ENABLED', autoRegistrationEnabled: 'true', certInPemFormat: rsa.pem,
  });
  assert.equal(res.status, 201);
  whole(data, rsa.fingerprint);
  assert.equal(data.autoRegistrationEnabled, true);
  assert.equal(data.proofOfPossessionValid, false);
  return { fingerprint: data.fingerprint };
});

await step('create without lines', async () => {
  const { res, data } = await trusted.create({
    name: 'Line 8', status: 'DISABLED', certInPemFormat: bare(ec.pem),
  });
  assert.equal(res.status, 201);
  whole(data, ec.fingerprint);
  assert.equal(data.status, 'DISABLED');
  assert.equal(data.autoRegistrationEnabled, false);
  return { fingerprint: data.fingerprint };
});

await step('create again', () => refused(409, /./, () =>
  trusted.create({ name: 'again', status: 'ENABLED', certInPemFormat: rsa.pem })));

await step('create what is no CA', () => refused(422, /./, () =>
  trusted.create({ name: 'leaf', status: 'ENABLED', certInPemFormat: read('leaf.pem').toString() })));

await step('pages', async () => {
  const first = await trusted.list({ pageSize: 1, withTotalPages: true, withTotalElements: true });
  assert.equal(first.data.length, 1);
  assert.equal(first.paging.totalPages, 2);
  assert.equal(first.paging.totalElements, 2);
  assert.equal(first.paging.nextPage, 2);
  const second = await first.paging.next();
  assert.equal(second.data.length, 1);
  assert.equal(second.paging.currentPage, 2);
  assert.equal(second.paging.nextPage, null, 'a page after the last');
  const seen = [...first.data, ...second.data].map(c => c.fingerprint).sort();
  assert.deepEqual(seen, [rsa.fingerprint, ec.fingerprint].sort());
});

await step('detail', async () => {
  const { res, data } = await trusted.detail(rsa.fingerprint);
  assert.equal(res.status, 200);
  whole(data, rsa.fingerprint);
  const again = await trusted.detail(data);
  assert.equal(again.data.name, 'Line 7');
});

await step('update', async () => {
  // As the platform's page does: the whole object goes back, with what it has that is read only.
  const { data: before } = await trusted.detail(ec.fingerprint);
  const { res, data } = await trusted.update({
    ...before, name: 'Línea 8 ☂', status: 'ENABLED', autoRegistrationEnabled: true,
  });
  assert.equal(res.status, 200);
  assert.deepEqual([data.name, data.status, data.autoRegistrationEnabled], ['Línea 8 ☂', 'ENABLED', true]);
  const part = await trusted.update({ fingerprint: ec.fingerprint, name: 'Line 8' });
  assert.deepEqual([part.data.name, part.data.status], ['Line 8', 'ENABLED'], 'what is not sent stays');
});

await step('update to an unknown status', () => refused(422, /./, () =>
  trusted.update({ fingerprint: ec.fingerprint, status: 'PERHAPS' })));

for (const [name, ca] of [['RSA', rsa], ['EC', ec]]) {
  await step(`proof of possession, ${name}`, async () => {
    const { res, data } = await trusted.regeneratePoPVerificationCode(ca.fingerprint);
    assert.equal(res.status, 200);
    const code = data.proofOfPossessionUnsignedVerificationCode;
    assert.ok(code.length >= 8, code);
    assert.ok(Date.parse(data.proofOfPossessionVerificationCodeUsableUntil) > Date.now());
    const { data: next } = await trusted.regeneratePoPVerificationCode(data);
    assert.notEqual(next.proofOfPossessionUnsignedVerificationCode, code, 'each code is new');
    const current = next.proofOfPossessionUnsignedVerificationCode;
    for (const wrong of [sign(ca.key, code), sign(ca.key, `${current} `), sign(ca.key, '')]) {
      await refused(400, /./, () => trusted.verifySignedVerificationCode(ca.fingerprint, wrong));
    }
    assert.equal((await trusted.detail(ca.fingerprint)).data.proofOfPossessionValid, false);
    const proof = await trusted.verifySignedVerificationCode(next, sign(ca.key, current));
    assert.equal(proof.res.status, 200);
    assert.equal(proof.data.proofOfPossessionValid, true);
    assert.equal((await trusted.detail(ca.fingerprint)).data.proofOfPossessionValid, true);
  });
}

await step('proof for a certificate that is not there', () => refused(404, /./, () =>
  trusted.regeneratePoPVerificationCode('00a360973e3e8d61e05aedb32c72438e2442279e')));

await step('register devices', async () => {
  const { res, data } = await client.deviceRegistrationBulk.create(read('devices.csv'));
  assert.equal(res.status, 201);
  assert.deepEqual(
    [data.numberOfAll, data.numberOfCreated, data.numberOfFailed, data.numberOfSuccessful], [3, 2, 1, 2]);
  const [failed] = data.failedCreationList;
  assert.equal(failed.deviceId, 'AA:BB:CC:00:11:22');
  assert.equal(failed.bulkNewDeviceStatus, 'FAILED');
  assert.equal(typeof failed.failureReason, 'string');
  assert.ok(Number(failed.line) > 0, String(failed.line));
  return { failed };
});

await step('revoke', async () => {
  const { res } = await crl.uploadCrls([
    { serialNumberInHex: '24234', revocationDate: '2023-01-13T23:00:00.000Z' },
    { serialNumberInHex: 'ab01' },
  ]);
  assert.ok(res.ok, String(res.status));
  return { status: res.status };
});

await step('revoke from a file', async () => {
  const { res } = await crl.uploadCrlFile(fs.createReadStream(path.join(folder, 'revoked.csv')));
  assert.ok(res.ok, String(res.status));
  const again = await crl.uploadCrlFile(read('revoked.csv'));
  assert.ok(again.res.ok, String(again.res.status));
  return { status: res.status };
});

await step('download the revocation list', async () => {
  const res = await crl.downloadCrlFile();
  assert.equal(res.status, 200);
  const der = Buffer.from(await res.arrayBuffer());
  assert.equal(der[0], 0x30, 'DER');
  fs.writeFileSync(path.join(folder, 'crl.der'), der);
  return { type: res.headers.get('content-type'), bytes: der.length };
});

await step('certificate authority of the tenant', async () => {
  const { res, data } = await trusted.generateCertificateAuthority();
  assert.equal(res.status, 201);
  assert.equal(data.tenantCertificateAuthority, true);
  const second = await refused(409, /./, () => trusted.generateCertificateAuthority());
  const { data: found } = await trusted.list({ certificateAuthority: true });
  assert.deepEqual(found.map(c => c.fingerprint), [data.fingerprint]);
  return second;
});

await step('delete', async () => {
  const { res } = await trusted.delete(ec.fingerprint);
  assert.equal(res.status, 204);
  await refused(404, /./, () => trusted.detail(ec.fingerprint));
  return refused(404, /./, () => trusted.delete(ec.fingerprint));
});

await step('bulk', async () => {
  const send = certificates => client.core.fetch(
    `/tenant/tenants/${client.core.tenant}/trusted-certificates/bulk`,
    {
      method: 'POST',
      body: JSON.stringify({ certificates }),
      headers: { 'content-type': 'application/json', accept: 'application/json' },
    });
  const entry = ({ pem }) => ({ name: 'bulk', status: 'ENABLED', certInPemFormat: pem });
  const one = await send([entry(ec), entry(rsa)]);
  assert.equal(one.status, 409, 'one of two is there already');
  await refused(404, /./, () => trusted.detail(ec.fingerprint));
  const both = await send([entry(ec)]);
  assert.equal(both.status, 201);
  assert.equal((await trusted.detail(ec.fingerprint)).data.name, 'bulk');
});
