"""What the clients of MQTT do in their scripts, so that one test can look at all of them.

They come with a certificate that is not trusted, and are refused; they come with their own, make their object,
ask what they can ask, and get their token; they do what ends the connection (a message that is too large, or
one that is to be retained at the MQTT Service), come back by the means that they have, and are heard again.
"""

import base64
import json

# What a device says first.
FIRST = "100,Name,c8y_Type\n101,pump-1,Pump,c8y_Pump\n110,4711,Box,1.0"
# What is answered: its id, its children, that it is there already, and that there is no such message.
ASKING = "123\n105\n100,Name,c8y_Type\n999,what"
# On s/ds 106 and 124, on s/e both others in one.
ANSWERS = 3
LAST = "400,c8y_Last,Good bye"
TOO_LARGE = "400,c8y_Large," + "x" * 16_200


def step(name, **facts):
    """Prints what was done."""
    print(json.dumps({"step": name, **facts}), flush=True)


def token(topic, message):
    """Prints what a token says of itself."""
    assert topic == "s/dat", topic
    number, jwt = message.split(",")
    assert number == "71", number
    padded = [part + "=" * (-len(part) % 4) for part in jwt.split(".")]
    head, claims = (json.loads(base64.urlsafe_b64decode(part)) for part in padded[:2])
    step("token", alg=head["alg"], sub=claims["sub"])
