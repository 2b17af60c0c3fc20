"""The life of a device, through aiomqtt, unchanged: MQTT 3.1.1 or MQTT 5.

    mqtt_aio.py <port> <ca.pem> <chain.pem> <key.pem> <stranger.pem> <stranger.key> <ClientId> <version> <user or ->

As `mqtt_life.py`; a connection that was lost is opened again as aiomqtt's documentation says, by a loop around it.
"""

import asyncio
import importlib.metadata
import sys

import aiomqtt
import steps

port, ca, chain, key, stranger, stranger_key, client_id, version, user = sys.argv[1:]
PROTOCOL = {"3.1.1": aiomqtt.ProtocolVersion.V311, "5": aiomqtt.ProtocolVersion.V5}[version]


def client(chain, key):
    return aiomqtt.Client(
        "localhost",
        int(port),
        identifier=client_id,
        protocol=PROTOCOL,
        username=None if user == "-" else user,
        tls_params=aiomqtt.TLSParameters(ca_certs=ca, certfile=chain, keyfile=key),
        keepalive=30,
        timeout=10,
    )


async def message(client):
    arrived = await asyncio.wait_for(anext(client.messages), 10)
    return str(arrived.topic), arrived.payload.decode()


async def refused():
    try:
        async with client(stranger, stranger_key):
            return 0
    except aiomqtt.MqttCodeError as error:
        return getattr(error.rc, "value", error.rc)


async def subscribe(client, *topics):
    for topic in topics:
        codes = [getattr(code, "value", code) for code in await client.subscribe(topic, qos=1)]
        assert codes == [1], codes


async def life(device):
    await subscribe(device, "s/e", "s/ds", "s/dat")
    await device.publish("s/us", steps.FIRST, qos=1)
    await device.publish("s/us", steps.ASKING, qos=1)
    answers = [await message(device) for _ in range(steps.ANSWERS)]
    steps.step("answers", messages=sorted(answers))
    await device.publish("s/uat", b"", qos=0)
    steps.token(*await message(device))
    if version == "5":
        await device.publish("s/us", steps.LAST, retain=True)
    else:
        await device.publish("s/us", steps.TOO_LARGE)
    # It ends here, with an error.
    await message(device)


async def main():
    steps.step("client", version=importlib.metadata.version("aiomqtt"))
    steps.step("refused", code=await refused())
    device = client(chain, key)
    try:
        async with device:
            steps.step("connect", code=0)
            await life(device)
    except aiomqtt.MqttError:
        async with device:
            await subscribe(device, "s/ds")
            await device.publish("s/us", "123", qos=1)
            steps.step("reconnect", code=0, messages=[await message(device)])


asyncio.run(main())
