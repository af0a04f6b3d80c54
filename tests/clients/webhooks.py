"""Verifies the messages that webhooks.js has received with PyPI standardwebhooks. The argument is the file that it wrote."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

with open(sys.argv[1], encoding="utf-8") as file:
    messages = json.load(file)
assert len(messages) == 4, f"{len(messages)} messages"
for message in messages:
    for secret in message["secrets"]:
        verified = Webhook(secret).verify(message["body"], message["headers"])
        assert "type" in verified, verified
        try:
            Webhook(secret).verify(message["body"] + " ", message["headers"])
        except WebhookVerificationError:
            continue
        raise AssertionError("a changed message verifies")
print(f"ok    {len(messages)} messages verify with PyPI standardwebhooks")
