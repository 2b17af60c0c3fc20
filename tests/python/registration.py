"""Devices from registration to token, through c8y_api, the platform's Python client, unchanged.

    python registration.py <folder>

c8y_api has no calls of its own for trusted certificates and bulk registration: its general
`get`, `post`, `put`, `post_file` and `get_file` are used for these, as its users have to, and its
own calls for the tenant, the user and the token.

The folder holds ca.pem, ca.key, chain.pem (device `gw-1`, then the CA), device.key, devices.csv and
revoked.json; the script writes crl.der into it. The tenant comes from C8Y_HOST, C8Y_TENANT, C8Y_USER,
C8Y_PASSWORD and C8Y_MTLS (the port for devices), trust in its server from REQUESTS_CA_BUNDLE.
Each step prints one line of JSON; the first surprise ends it.
"""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import requests
from c8y_api import CumulocityApi, HTTPBearerAuth, UnauthorizedError
from c8y_api._base_api import AccessDeniedError
from c8y_api._jwt import JWT

FOLDER = pathlib.Path(sys.argv[1])
HOST, TENANT, USER, PASSWORD, MTLS = (
    os.environ[name]
    for name in ("C8Y_HOST", "C8Y_TENANT", "C8Y_USER", "C8Y_PASSWORD", "C8Y_MTLS")
)
CERTIFICATES = f"/tenant/tenants/{TENANT}/trusted-certificates"
REVOCATIONS = "/tenant/trusted-certificates/settings/crl"
PEM = (FOLDER / "ca.pem").read_text()


def step(name, **facts):
    """Prints what was done."""
    print(json.dumps({"step": name, **facts}), flush=True)


def refused(error, call, *says):
    """Holds a call to ending in this exception of c8y_api, with these words."""
    try:
        call()
    except error as refusal:
        text = f"{refusal!r} {refusal}"
        assert all(word in text for word in says), text
        return
    raise AssertionError(f"accepted, where {error.__name__} was to come")


def fingerprint():
    """The fingerprint as the platform writes it."""
    lines = [line for line in PEM.splitlines() if line and not line.startswith("-")]
    return hashlib.sha1(base64.b64decode("".join(lines))).hexdigest()


def sign(code):
    """The documented way: openssl dgst -sha256 -sign."""
    key = str(FOLDER / "ca.key")
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=code.encode(), stdout=-1, check=True
    )
    return base64.b64encode(signed.stdout).decode()


def who(c8y):
    """The tenant and the user, with the client's own calls."""
    user = c8y.users.get_current()
    assert user.username == USER, user.username
    permissions = sorted(user.effective_permission_ids)
    assert "ROLE_TENANT_ADMIN" in permissions, permissions
    assert "ROLE_DEVICE_CONTROL_ADMIN" in permissions, permissions
    assert c8y.get("/tenant/currentTenant")["name"] == TENANT
    c8y.tenants.get_current()
    step("who", user=user.username, tenant=TENANT, permissions=permissions)


def strangers():
    """Who may not do it is told so."""
    wrong = CumulocityApi(HOST, TENANT, USER, "wrong")
    refused(UnauthorizedError, wrong.users.get_current)
    refused(UnauthorizedError, lambda: wrong.post(CERTIFICATES, {"name": "x"}))
    reader = CumulocityApi(HOST, TENANT, "reader", PASSWORD)
    assert reader.get(CERTIFICATES)["certificates"] == []
    body = {"name": "x", "status": "ENABLED", "certInPemFormat": PEM}
    refused(AccessDeniedError, lambda: reader.post(CERTIFICATES, body))
    step("strangers")


def trust(c8y):
    """Uploads the CA and proves that the key is ours."""
    body = {"name": "Python", "status": "ENABLED", "certInPemFormat": PEM}
    created = c8y.post(CERTIFICATES, body)
    assert created["fingerprint"] == fingerprint(), created
    assert created["autoRegistrationEnabled"] is False, created
    refused(ValueError, lambda: c8y.post(CERTIFICATES, body), "409")
    refused(ValueError, lambda: c8y.post(CERTIFICATES, {**body, "certInPemFormat": "x"}), "422")
    refused(KeyError, lambda: c8y.get(f"{CERTIFICATES}/{'0' * 40}"))
    one = f"{CERTIFICATES}/{fingerprint()}"
    assert c8y.put(one, {"name": "Python 3"})["name"] == "Python 3"
    page = c8y.get(CERTIFICATES, params={"pageSize": 2000, "withTotalElements": "true"})
    assert page["statistics"]["totalElements"] == len(page["certificates"]) == 1, page
    proof = f"/tenant/tenants/{TENANT}/trusted-certificates-pop/{fingerprint()}"
    code = c8y.post(f"{proof}/verification-code", {})["proofOfPossessionUnsignedVerificationCode"]
    signed = "proofOfPossessionSignedVerificationCode"
    refused(ValueError, lambda: c8y.post(f"{proof}/pop", {signed: sign(code + " ")}), "400")
    assert c8y.post(f"{proof}/pop", {signed: sign(code)})["proofOfPossessionValid"] is True
    # The client's `accept=''` leaves the header out: then there is no body to read.
    assert c8y.post(f"{proof}/verification-code", {}, accept="") == {}
    step("trust", fingerprint=fingerprint())


def register(c8y):
    """Registers the devices of the file."""
    path = "/devicecontrol/bulkNewDeviceRequests"
    answer = c8y.post_file(path, str(FOLDER / "devices.csv"), content_type="text/csv")
    counts = [answer[f"numberOf{what}"] for what in ("All", "Created", "Failed", "Successful")]
    assert counts == [2, 1, 1, 1], answer
    (failed,) = answer["failedCreationList"]
    assert failed["deviceId"] == "gw:2" and failed["bulkNewDeviceStatus"] == "FAILED", failed
    step("register", failed=failed)


def token():
    """The device's token, with its certificate alone."""
    chain = (FOLDER / "chain.pem").read_text()
    answer = requests.post(
        f"{MTLS}/devicecontrol/deviceAccessToken",
        cert=(str(FOLDER / "chain.pem"), str(FOLDER / "device.key")),
        headers={"Accept": "application/json", "X-Ssl-Cert-Chain": chain.replace("\n", " ").strip()},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    jwt = JWT(answer.json()["accessToken"])
    assert jwt.tenant_id == TENANT, jwt.payload
    assert "gw-1" in jwt.username, jwt.payload
    assert 0 < jwt.get_valid_seconds() <= 3600, jwt.payload
    device = CumulocityApi(HOST, TENANT, auth=HTTPBearerAuth(answer.json()["accessToken"]))
    assert device.get("/tenant/currentTenant")["name"] == TENANT
    assert device.users.get_current().username == device.username
    refused(AccessDeniedError, lambda: device.get(CERTIFICATES))
    forged = HTTPBearerAuth(answer.json()["accessToken"][:-8] + "AAAAAAAA")
    refused(UnauthorizedError, CumulocityApi(HOST, TENANT, auth=forged).users.get_current)
    step("token", subject=jwt.username)


def revoke(c8y):
    """Revokes, and downloads the list."""
    c8y.put(REVOCATIONS, json.loads((FOLDER / "revoked.json").read_text()))
    (FOLDER / "crl.der").write_bytes(c8y.get_file(REVOCATIONS))
    step("revoke")


def remove(c8y):
    """Takes the CA away again."""
    c8y.delete(f"{CERTIFICATES}/{fingerprint()}")
    refused(KeyError, lambda: c8y.get(f"{CERTIFICATES}/{fingerprint()}"))
    refused(KeyError, lambda: c8y.delete(f"{CERTIFICATES}/{fingerprint()}"))
    step("remove")


def main():
    """Everything, in order."""
    strangers()
    with CumulocityApi(HOST, TENANT, USER, PASSWORD) as c8y:
        who(c8y)
        trust(c8y)
        register(c8y)
        token()
        revoke(c8y)
        remove(c8y)


main()
