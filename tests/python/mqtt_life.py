"""The life of a device, through Eclipse Paho for Python, unchanged: 1.6 or 2.x, MQTT 3.1.1 or MQTT 5.

    mqtt_life.py <port> <ca.pem> <chain.pem> <key.pem> <stranger.pem> <stranger.key> <ClientId> <version> <user or ->

The version is 3.1.1, or 5 with the rules of the MQTT Service. Each step prints one line of JSON; the first
surprise ends it. `steps.py` says what they are.
"""

import queue
import sys

import paho.mqtt
import paho.mqtt.client as mqtt
import steps

port, ca, chain, key, stranger, stranger_key, client_id, version, user = sys.argv[1:]
PROTOCOL = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}[version]


def value(code):
    """The number of a code, whichever Paho has told it."""
    return getattr(code, "value", code)


class Device:
    """A client whose callbacks fill queues."""

    def __init__(self, chain, key, wait=True):
        self.told, self.granted, self.arrived = queue.Queue(), queue.Queue(), queue.Queue()
        self.ended = queue.Queue()
        more = {"client_id": client_id, "protocol": PROTOCOL, "reconnect_on_failure": wait}
        if hasattr(mqtt, "CallbackAPIVersion"):
            self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **more)
        else:
            self.client = mqtt.Client(**more)
        self.client.tls_set(ca_certs=ca, certfile=chain, keyfile=key)
        if user != "-":
            self.client.username_pw_set(user)
        self.client.reconnect_delay_set(1, 2)
        # Both versions of the callbacks have the code in the fourth place, but for the end of 1.6.
        self.client.on_connect = lambda *said: self.told.put(value(said[3]))
        self.client.on_subscribe = lambda *said: self.granted.put([value(code) for code in said[3]])
        self.client.on_disconnect = lambda *said: self.ended.put(value(said[3 if len(said) > 4 else 2]))
        self.client.on_message = lambda _, data, message: self.arrived.put(
            (message.topic, message.payload.decode())
        )

    def connect(self):
        # Paho cleans the first session of MQTT 5 only, unless it is told otherwise: the MQTT Service would refuse
        # it when it comes back.
        more = {"clean_start": True} if version == "5" else {}
        self.client.connect("localhost", int(port), keepalive=30, **more)
        self.client.loop_start()
        return self.told.get(timeout=10)

    def subscribe(self, *topics):
        """Each in a packet of its own, as the MQTT Service wants it."""
        for topic in topics:
            self.client.subscribe(topic, 1)
            codes = self.granted.get(timeout=10)
            assert codes == [1], codes

    def publish(self, topic, message, **more):
        return self.client.publish(topic, message, **more)

    def message(self):
        return self.arrived.get(timeout=10)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


steps.step("client", version=paho.mqtt.__version__)

other = Device(stranger, stranger_key, wait=False)
steps.step("refused", code=other.connect())
other.client.loop_stop()

device = Device(chain, key)
steps.step("connect", code=device.connect())
device.subscribe("s/e", "s/ds", "s/dat")
device.publish("s/us", steps.FIRST, qos=1).wait_for_publish(10)
device.publish("s/us", steps.ASKING, qos=1)
steps.step("answers", messages=sorted(device.message() for _ in range(steps.ANSWERS)))
device.publish("s/uat", b"", qos=0)
steps.token(*device.message())

if version == "5":
    device.publish("s/us", steps.LAST, retain=True)
else:
    device.publish("s/us", steps.TOO_LARGE)
code = device.told.get(timeout=20)
device.subscribe("s/ds")
device.publish("s/us", "123", qos=1)
steps.step("reconnect", code=code, messages=[device.message()])
device.close()
