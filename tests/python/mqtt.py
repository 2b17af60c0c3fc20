"""Eclipse Paho against the sandbox's MQTT, as a device that was just set up.

    mqtt.py <port> <ca.pem> <chain.pem or -> <key.pem or -> <ClientId> [<user> <password>]

Says, as one line of JSON, what came of the CONNECT, what was granted, and what arrived. A device with
a certificate makes its object and a child, asks for a token, and tells `ready` on standard output when it
waits for an operation, after which it goes without a word, so that its last will is published.
"""

import json
import os
import queue
import sys

import paho.mqtt.client as mqtt

port, ca, chain, key, client_id, *credentials = sys.argv[1:]
told, granted, arrived = queue.Queue(), queue.Queue(), queue.Queue()


def wait(of):
    return of.get(timeout=10)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
if chain == "-":
    client.tls_set(ca_certs=ca)
else:
    client.tls_set(ca_certs=ca, certfile=chain, keyfile=key)
if credentials:
    client.username_pw_set(*credentials)
client.on_connect = lambda c, data, flags, code, properties: told.put(str(code))
client.on_subscribe = lambda c, data, mid, codes, properties: granted.put([code.value for code in codes])
client.on_message = lambda c, data, message: arrived.put((message.topic, message.payload.decode()))
client.will_set("s/us", '400,c8y_ConnectionEvent,"Device connection was lost."', qos=1)
client.connect("localhost", int(port), keepalive=30)
client.loop_start()
code = wait(told)
if code != "Success":
    client.loop_stop()
    print(json.dumps({"connack": code}))
    sys.exit()

topics = ["s/dcr", "s/e"] if credentials else ["s/ds", "s/e", "s/dat", "s/#"]
client.subscribe([(topic, 2) for topic in topics])
codes = wait(granted)
messages = []
if credentials:
    client.publish("s/ucr", b"", qos=2).wait_for_publish(10)
    messages.append(wait(arrived))
else:
    client.publish("s/us", "100,Gateway 1,c8y_Gateway\n101,pump-1,Pump,c8y_Pump", qos=2)
    client.publish("s/us/pump-1", "400,c8y_Start,\"It \\\"runs\\\", now\"", qos=1)
    client.publish("s/uat", b"", qos=0)
    topic, token = wait(arrived)
    messages.append((topic, token.split(",")[0]))
    client.publish("s/us", "100,no type", qos=1)
    messages.append(wait(arrived))
    print(json.dumps({"ready": True}), flush=True)
    messages.append(wait(arrived))
print(json.dumps({"connack": code, "granted": codes, "messages": messages}), flush=True)
# Not disconnect(): the connection just ends.
os._exit(0)
