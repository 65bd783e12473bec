"""What pywa, somebody else's client of the Cloud API, sends and understands. Runs in an environment of its own.

Reads one question as JSON from its input and writes the answer as JSON.
"""

import json
import sys

import httpx
from pywa import WhatsApp, handlers, utils
from pywa.types.templates import BodyText, TemplateLanguage


def send(question):
    """The message as pywa sends it to ``url``: the words, then the template."""
    session = httpx.Client()
    client = WhatsApp(phone_id=question["number"], token=question["token"], session=session)
    session.base_url = question["url"]
    client.send_message(question["to"], question["text"])
    client.send_template(
        question["to"],
        name=question["template"],
        language=TemplateLanguage.ENGLISH_US,
        params=[BodyText.params(*question["parameters"])],
    )
    return None


def check(question):
    """For each call whether pywa believes its signature."""
    return [
        utils.webhook_updates_validator(question["secret"], bytes.fromhex(body), signature)
        for body, signature in question["calls"]
    ]


def parse(question):
    """What pywa finds in each call: kind, id, and whom it is from."""
    found = []
    for body in question["calls"]:
        client = WhatsApp(phone_id=question["number"], token="x", server=None, validate_updates=False)
        client.add_handlers(
            handlers.MessageHandler(lambda _, message: found.append(["message", message.id, message.from_user.bsuid])),
            handlers.MessageStatusHandler(lambda _, status: found.append(["status", status.id, status.status.value])),
        )
        client.webhook_update_handler(body.encode())
    return found


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"send": send, "check": check, "parse": parse}[asked["do"]](asked), sys.stdout)
