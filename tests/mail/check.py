"""Mail through a real SMTP server that insists on STARTTLS: one mail arrives, over TLS, with both of its bodies.

Usage: check.py LEDGERBELL CERTIFICATE KEY. The certificate is for localhost.
"""

import email
import json
import os
import queue
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

from aiosmtpd.controller import Controller

PATIENCE_SECONDS = 30


class Handler:
    def __init__(self):
        self.mails = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        self.mails.put((session.ssl is not None, envelope.rcpt_tos, envelope.content))
        return "250 taken"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(url, key, query, variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/graphql", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]


def wait_until_ready(url, server):
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{url}/health/ready", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server is not ready in time")


def main(ledgerbell, certificate, key_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    handler = Handler()
    mail = Controller(handler, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True)
    mail.start()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": certificate,
            "LEDGERBELL_MODE": "development",
            "LEDGERBELL_LISTEN": f"127.0.0.1:{port}",
            "LEDGERBELL_DATA_DIR": directory,
            "LEDGERBELL_MAIL_SMTP_URL": f"smtp://localhost:{mail.port}?tls=required",
            "LEDGERBELL_MAIL_FROM": "Bell <bell@bell.example>",
        }
        server = subprocess.Popen([ledgerbell, "serve", "--migrate"], env=environment)
        try:
            wait_until_ready(url, server)
            made = subprocess.run(
                [ledgerbell, "api-key", "create", "--name", "Test", "--permissions", "MANAGE_ACCOUNTS,MANAGE_SETTINGS,READ_CREDIT_LOG"],
                env=environment, check=True, capture_output=True, text=True,
            )
            words = (made.stdout + made.stderr).split()
            key = next(word for word in words if word.startswith("lb_"))
            create = """mutation { createAccount(input: { name: "Team", creditPrice: "1", currency: "EUR",
                owner: { name: "Ada", email: "ada@example.com" } }) { account { members { nodes { id } } } } }"""
            member = call(url, key, create, {})["createAccount"]["account"]["members"]["nodes"][0]["id"]
            send = """mutation ($id: ID!) { sendTestNotification(input: { memberId: $id, channel: EMAIL }) { alert { id } } }"""
            assert call(url, key, send, {"id": member})["sendTestNotification"]["alert"]
            over_tls, recipients, content = handler.mails.get(timeout=PATIENCE_SECONDS)
        finally:
            server.terminate()
            server.wait(timeout=PATIENCE_SECONDS)
            mail.stop()
    message = email.message_from_bytes(content)
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert over_tls, "the mail came in the clear"
    assert recipients == ["ada@example.com"], recipients
    assert message["Subject"] == "Test", message["Subject"]
    assert kinds == ["text/plain", "text/html"], kinds
    print("a mail arrived over TLS:", message["Message-ID"])


main(*sys.argv[1:])
