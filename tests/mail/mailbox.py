"""Mail as it arrives at npm maildev, a mail server with a mailbox, read back through its REST API.

Usage: mailbox.py. Needs `npm ci` in this directory.
"""

import hashlib
import hmac
import html
import json
import os
import subprocess
import time
import urllib.request

from ledgerbell import Ledgerbell, end, free_port, until

SECRET = "what-this-mail-server-signs-reports-with"
MAILDEV = os.path.join(os.path.dirname(__file__), "node_modules/.bin/maildev")


class Mailbox:
    def __enter__(self):
        self.smtp, self.web = free_port(), free_port()
        ports = ["--smtp", str(self.smtp), "--ip", "127.0.0.1", "--web", str(self.web), "--web-ip", "127.0.0.1"]
        self.process = subprocess.Popen([MAILDEV, *ports, "--silent"])
        until(lambda: self.answers(), "maildev is ready")
        return self

    def __exit__(self, *_):
        end(self.process)

    def answers(self):
        assert self.process.poll() is None, "maildev ended"
        try:
            self.mails()
            return True
        except OSError:
            return False

    def mails(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/email", timeout=5) as response:
            return json.load(response)

    def to(self, address):
        """The mails to an address, oldest first, once one has come."""
        here = lambda: [mail for mail in self.mails() if mail["to"][0]["address"] == address]
        until(lambda: here(), f"mail to {address}")
        return here()


def verify(bell, mailbox, member, address):
    """Shows that mail arrives, as a member does: by the code in it."""
    send = "mutation ($id: ID!) { sendContactVerification(input: { memberId: $id }) { userErrors { code } } }"
    assert bell.call(send, id=member)["sendContactVerification"]["userErrors"] == []
    [mail] = mailbox.to(address)
    code = next(word for word in mail["subject"].split() if word.isdigit())
    assert code in mail["text"] and code in mail["html"]
    confirm = """mutation ($id: ID!, $code: String!) { verifyContact(input: { memberId: $id, code: $code }) {
        contact { emailStatus } } }"""
    verified = bell.call(confirm, id=member, code=code)["verifyContact"]
    assert verified["contact"]["emailStatus"] == "VERIFIED", verified


def report(bell, **fields):
    """What a mail service tells later on, signed as docs/mail.md shows."""
    body, seconds = json.dumps(fields).encode(), int(time.time())
    tag = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Ledgerbell-Signature": f"t={seconds},v1={tag}"}
    with urllib.request.urlopen(urllib.request.Request(f"{bell.url}/webhooks/mail", body, headers), timeout=10) as response:
        assert response.read() == b"kept\n"


def check(mail, subject, texts, link):
    """What every reader of a mail needs, in the form that each reads."""
    headers = mail["headers"]
    assert mail["from"][0]["address"] == "bell@bell.example", mail["from"]
    # Both addresses are verified, so the subject names the team.
    assert mail["subject"] == f"{subject} (Müller & <Söhne>)", mail["subject"]
    assert headers["message-id"].startswith("<dlv_") and headers["message-id"].endswith("@bell.example>"), headers
    assert headers["auto-submitted"] == "auto-generated", headers
    for text in [*texts, link]:
        assert text in mail["text"], (text, mail["text"])
        assert text in html.unescape(mail["html"]), (text, mail["html"])


def main():
    with Mailbox() as mailbox, Ledgerbell(f"smtp://127.0.0.1:{mailbox.smtp}", {"LEDGERBELL_MAIL_WEBHOOK_SECRET": SECRET}) as bell:
        server = bell.serve()
        try:
            # A name that HTML would take for its own.
            create = """mutation { createAccount(input: { name: "Müller & <Söhne>", creditPrice: "1", currency: "EUR",
                owner: { name: "Ada Æsir", email: "ada@example.com" } }) { account { id members { nodes { id } } } } }"""
            account = bell.call(create)["createAccount"]["account"]
            ada = account["members"]["nodes"][0]["id"]
            add = """mutation ($id: ID!) { addMember(input: { accountId: $id, name: "Jürgen Groß", email: "juergen@example.com",
                role: ADMIN }) { member { id } } }"""
            juergen = bell.call(add, id=account["id"])["addMember"]["member"]["id"]
            speak = """mutation ($id: ID!) { updateContact(input: { memberId: $id, locale: "de-AT", timezone: "Europe/Vienna" }) {
                contact { locale } } }"""
            assert bell.call(speak, id=juergen)["updateContact"]["contact"]["locale"] == "de-AT"
            for member, address in [(ada, "ada@example.com"), (juergen, "juergen@example.com")]:
                verify(bell, mailbox, member, address)
                want = """mutation ($id: ID!) { updateNotificationSettings(input: { memberId: $id, lowBalanceThreshold: "5000" }) {
                    userErrors { code } } }"""
                assert bell.call(want, id=member)["updateNotificationSettings"]["userErrors"] == []
            adjust = """mutation ($id: ID!, $amount: Credits!, $key: String!) { adjustCredits(input: { accountId: $id, amount: $amount,
                description: "Test", idempotencyKey: $key }) { userErrors { code } } }"""

            def post(amount):
                posted = bell.call(adjust, id=account["id"], amount=amount, key=f"post {amount}")
                assert posted["adjustCredits"]["userErrors"] == [], posted

            def mails_after(amount, count):
                post(amount)
                until(lambda: len(mailbox.mails()) == count, f"{count} mails have come")

            # More than the threshold, then less: what is not critical may be switched off.
            post("9000")
            mails_after("-7765.5", 4)
            mail = mailbox.to("ada@example.com")[-1]
            check(mail, "Credits are running low", ["Hello Ada Æsir,", "1,234.5 credits are left."],
                  "https://app.example/credits?action=TOP_UP&alert=alr_")
            out = mail["headers"]["list-unsubscribe"]
            assert out == "<https://app.example/credits?action=NOTIFICATION_SETTINGS>", out
            assert "Müller & <Söhne>" in mail["text"] and "Müller &amp; &lt;Söhne&gt;" in mail["html"], mail["html"]
            assert '<html lang="en">' in mail["html"]
            mail = mailbox.to("juergen@example.com")[-1]
            check(mail, "Das Guthaben wird knapp", ["Hallo Jürgen Groß,", "Es sind noch 1.234,5 Credits übrig.", "Aufladen"],
                  "https://app.example/credits?action=TOP_UP&alert=alr_")
            assert '<html lang="de">' in mail["html"]

            # What is critical has no way out.
            mails_after("-1234.5", 6)
            mail = mailbox.to("juergen@example.com")[-1]
            check(mail, "Das Guthaben ist aufgebraucht", ["0 Credits"], "action=TOP_UP")
            assert "list-unsubscribe" not in mail["headers"], mail["headers"]

            # Sent again, it is the same mail.
            query = """query ($id: ID!) { node(id: $id) { ... on Member { deliveries(first: 9, filter: { channels: [EMAIL],
                alertKinds: [BALANCE_DEPLETED] }) { nodes { id status } } } } }"""
            deliveries = lambda: bell.call(query, id=juergen)["node"]["deliveries"]["nodes"]
            # It arrives before that is recorded.
            until(lambda: [one["status"] for one in deliveries()] == ["SENT"], "one mail is recorded as sent")
            sent = deliveries()
            bell.rows.execute("UPDATE delivery SET sent_at = sent_at - 60000 WHERE channel = 'EMAIL'")
            again = "mutation ($id: ID!) { resendDelivery(input: { deliveryId: $id }) { userErrors { code } } }"
            assert bell.call(again, id=sent[0]["id"])["resendDelivery"]["userErrors"] == []
            until(lambda: len(mailbox.mails()) == 7, "the mail comes again")
            first, second = mailbox.to("juergen@example.com")[-2:]
            for name in ["message-id", "subject"]:
                assert first["headers"][name] == second["headers"][name], name
            assert first["html"] == second["html"] and first["text"] == second["text"]

            # The mail service finds out later that nobody is there.
            report(bell, id="1", type="HARD_BOUNCE", messageId=second["headers"]["message-id"], address="juergen@example.com")
            query = "query ($id: ID!) { node(id: $id) { ... on Member { contact { emailStatus } } } }"
            assert bell.call(query, id=juergen)["node"]["contact"]["emailStatus"] == "BOUNCING"
        finally:
            end(server)
        print(f"{len(mailbox.mails())} mails were read back from a mailbox, in English and German")


main()
