"""The life of trusted certificates through pyc8y, unchanged.

    python trusted_async.py <folder>

The folder holds rsa.pem and rsa.key, ec.pem and ec.key (CAs) and sandbox-ca.pem; the script writes crl.der into
it. The tenant comes from C8Y_HOST, C8Y_TENANT, C8Y_USER and C8Y_PASSWORD. Each step prints one line of JSON; the
first surprise ends it.
"""

import asyncio
import base64
import datetime
import hashlib
import os
import pathlib
import ssl
import subprocess
import sys

import aiohttp
from pyc8y import CumulocityClient, DeviceRegistryClient
from pyc8y.auth import BasicAuth
from pyc8y.model import TrustedCertificate
from pyc8y.rest import HttpError, UnauthorizedError
from steps import step

FOLDER = pathlib.Path(sys.argv[1])
HOST, TENANT, USER, PASSWORD = (
    os.environ[name] for name in ("C8Y_HOST", "C8Y_TENANT", "C8Y_USER", "C8Y_PASSWORD")
)
PEM = {name: (FOLDER / f"{name}.pem").read_text() for name in ("rsa", "ec")}


def fingerprint(name):
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(PEM[name])).hexdigest()


def sign(name, code):
    """The documented way: openssl dgst -sha256 -sign."""
    key = str(FOLDER / f"{name}.key")
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=code.encode(), stdout=-1, check=True
    )
    return base64.b64encode(signed.stdout).decode()


def as_user(user, password, kind=CumulocityClient):
    """Trust in the server is the caller's, by the parameter that pyc8y has for it."""

    async def connector():
        return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=FOLDER / "sandbox-ca.pem"))

    return kind(HOST, TENANT, BasicAuth(user, password), connector_factory=connector)


async def refused(code, call):
    """Holds a call to ending in this status."""
    try:
        await call
    except (HttpError, KeyError, ValueError) as refusal:
        told = getattr(refusal, "code", None)
        assert told == code or str(code) in str(refusal) or isinstance(refusal, KeyError), repr(refusal)
        return
    raise AssertionError(f"accepted, where {code} was to come")


async def upload(c8y):
    one = TrustedCertificate(
        c8y, certificate_pem=PEM["rsa"], name="Line 7", status="ENABLED", auto_registration_enabled=True
    )
    created = await one.create()
    assert created.fingerprint == fingerprint("rsa"), created
    assert created.auto_registration_enabled is True and created.pop_valid is False
    # A code is there right after the upload (platform: "Proof of possession").
    assert 100 < len(created.pop_challenge) < 200, created.pop_challenge
    assert created.pop_valid_until_datetime > datetime.datetime.now(datetime.timezone.utc)
    # pyc8y reads PEM there, the platform sends bare base64 in lines: that property of pyc8y does not work with it.
    lines = created.certificate_pem.split("\n")
    assert base64.b64decode("".join(lines)) == ssl.PEM_cert_to_DER_cert(PEM["rsa"])
    assert not created.certificate_pem.startswith("-"), created.certificate_pem
    await refused(409, one.create())
    many = TrustedCertificate(c8y, certificate_pem=PEM["ec"], name="Line 8", status="DISABLED")
    await c8y.trusted_certificates.create(many)
    names = [one.name async for one in c8y.trusted_certificates.select(limit=None)]
    assert sorted(names) == ["Line 7", "Line 8"], names
    step("upload", subject=created.subject, code=len(created.pop_challenge))


async def change(c8y):
    known = await c8y.trusted_certificates.get(fingerprint("ec"))
    known.name, known.status, known.auto_registration_enabled = "Line 9", "ENABLED", True
    changed = await known.update()
    assert (changed.name, changed.status) == ("Line 9", "ENABLED"), changed
    await c8y.trusted_certificates.apply_to({"name": "Line 8"}, fingerprint("ec"))
    step("change", called=(await c8y.trusted_certificates.get(fingerprint("ec"))).name)


async def prove(c8y):
    for name in PEM:
        challenge = await c8y.trusted_certificates.generate_pop_challenge(fingerprint(name))
        call = c8y.trusted_certificates.provide_pop_verification
        await refused(400, call(fingerprint(name), sign(name, challenge.pop_challenge + "x")))
        # A line end after the code does no harm since 10.18.86.
        proven = await call(fingerprint(name), sign(name, challenge.pop_challenge + "\n"))
        assert proven.pop_valid is True, name
    step("prove")


async def revoke(c8y):
    certificates = c8y.trusted_certificates
    # Its file has the header SERIAL NO.,REVOCATION DATE, and rows with and without a date.
    await certificates.revoke("c0ffee", ("beef01", datetime.datetime(2026, 1, 17, tzinfo=datetime.timezone.utc)))
    (FOLDER / "crl.der").write_bytes(await certificates.get_revoked())
    step("revoke")


async def credentials(c8y):
    """A device that is let in one by one gets its user and password over REST (deviceCredentials)."""

    async def wait():
        async with as_user("management/devicebootstrap", PASSWORD, DeviceRegistryClient) as registry:
            return await registry.await_credentials("new-1", timeout="30s", pause="1s")

    requests = "/devicecontrol/newDeviceRequests"
    await c8y.post(requests, json={"id": "new-1"})
    # It blocks while it waits.
    waiting = asyncio.create_task(asyncio.to_thread(asyncio.run, wait()))
    while (await c8y.get(f"{requests}/new-1"))["status"] != "PENDING_ACCEPTANCE":
        await asyncio.sleep(0.1)
    await c8y.put(f"{requests}/new-1", json={"status": "ACCEPTED"})
    told = await waiting
    assert told.tenant_id == TENANT and told.password, told.username
    step("credentials", user=told.username)


async def remove(c8y):
    await c8y.trusted_certificates.delete(fingerprint("rsa"))
    await refused(404, c8y.trusted_certificates.get(fingerprint("rsa")))
    await refused(404, c8y.trusted_certificates.delete(fingerprint("rsa")))
    step("remove")


async def main():
    wrong = as_user(USER, "wrong")
    try:
        await wrong.trusted_certificates.get_all()
        raise AssertionError("a wrong password was accepted")
    except UnauthorizedError:
        pass
    finally:
        await wrong.close()
    async with as_user(USER, PASSWORD) as c8y:
        for part in (upload, change, prove, revoke, credentials, remove):
            await part(c8y)


asyncio.run(main())
