"""Eclipse Paho connects as devices, with PEM files.

Each line of standard input is a connection: `HOST PORT CHAIN CA CLIENTID VERSION`. The key is `key.pem` beside
the chain; without a chain (`-`) there is no client certificate. A device that is accepted publishes with
QoS 1 and subscribes. The answer is a line of standard output: `accepted`, `refused` with the code of the
CONNACK, or `failed` with what Python says of TLS and the network.
"""

import os
import queue
import sys

import paho.mqtt.client as mqtt

CODES = {"Bad user name or password": 4, "Not authorized": 5}
VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311}


def connect(host, port, chain, ca, client_id, version):
    told, granted = queue.Queue(), queue.Queue()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=VERSIONS[version], reconnect_on_failure=False
    )
    if chain == "-":
        client.tls_set(ca_certs=ca)
    else:
        key = os.path.join(os.path.dirname(chain), "key.pem")
        client.tls_set(ca_certs=ca, certfile=chain, keyfile=key)
    client.on_connect = lambda c, data, flags, code, properties: told.put(str(code))
    client.on_subscribe = lambda c, data, mid, codes, properties: granted.put([code.value for code in codes])
    try:
        client.connect(host, int(port), keepalive=30)
    except OSError as error:
        return f"failed {error}"
    client.loop_start()
    try:
        code = told.get(timeout=10)
        if code != "Success":
            return f"refused {CODES.get(code, code)}"
        client.publish("s/us", "100,A device in Python,c8y_Python", qos=1).wait_for_publish(10)
        client.subscribe("s/ds", 1)
        codes = granted.get(timeout=10)
        return "accepted" if codes == [1] else f"failed granted {codes}"
    except queue.Empty:
        return "failed no answer"
    finally:
        client.disconnect()
        client.loop_stop()


for line in sys.stdin:
    print(connect(*line.split()), flush=True)
