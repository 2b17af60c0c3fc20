"""What the MQTT Service tells a client of MQTT 5, through Eclipse Paho for Python 2.

    mqtt_limits.py <port> <ca.pem> <chain.pem> <key.pem> <ClientId>

Each step prints one line of JSON: the limits in the CONNACK, and with what words a connection is ended that
does not keep them.
"""

import queue
import sys

import paho.mqtt.client as mqtt
from steps import TOO_LARGE, step

port, ca, chain, key, client_id = sys.argv[1:]


class Device:
    def __init__(self, wait=False):
        self.told, self.ended, self.gone = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=wait
        )
        self.client.tls_set(ca_certs=ca, certfile=chain, keyfile=key)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda c, data, flags, code, properties: self.told.put((code, properties))
        self.client.on_disconnect = lambda c, data, flags, code, properties: self.ended.put(code)
        self.client.on_unsubscribe = lambda c, data, mid, codes, properties: self.gone.put(codes)

    def connect(self, **more):
        self.client.connect("localhost", int(port), keepalive=30, **more)
        self.client.loop_start()
        return self.told.get(timeout=10)

    def end(self):
        code = self.ended.get(timeout=10)
        self.client.loop_stop()
        return {"told": str(code), "code": code.value}

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


device = Device()
code, properties = device.connect()
assert code == 0, code
step("limits", **{name: value for name, value in vars(properties).items() if name[0].isupper()})
device.client.publish("s/us", "123", qos=2)
step("QoS 2", **device.end())

for name, message, more in [("retained", "123", {"retain": True}), ("too large", TOO_LARGE, {})]:
    device = Device()
    device.connect()
    device.client.publish("s/us", message, **more)
    step(name, **device.end())

device, other = Device(), Device()
device.connect()
other.connect()
step("another comes", **device.end())

other.client.subscribe("s/ds", 1)
other.client.unsubscribe(["s/ds", "s/e"])
step("unsubscribe", codes=[code.value for code in other.gone.get(timeout=10)])
other.leave()

device = Device(wait=True)
first, _ = device.connect()
device.client.publish("s/us", "123", retain=True)
again, _ = device.told.get(timeout=10)
step("comes back", codes=[first.value, again.value])
device.leave()
