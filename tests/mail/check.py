"""Mail through a real SMTP server: over STARTTLS, and when the server is busy, refuses, hangs or goes away without a word; and when the
database does not take the record of a mail for some time.

Usage: check.py CERTIFICATE KEY. The certificate is for localhost.
"""

import asyncio
import email
import ssl
import sys

from ledgerbell import Ledgerbell, MailServer, end, until

# What is to become of a mail to each of these, by the name before the @.
EXPECTED = {
    # First, so that its late answer would be taken for the one of a mail after it.
    "hanging": ("QUEUED", "temporarily refused the mail"),
    "ada": ("SENT", None),
    "greylisted": ("QUEUED", "temporarily refused the mail"),
    "closing": ("QUEUED", "temporarily refused the mail"),
    "gone": ("BOUNCED", "does not know this mailbox"),
    "spam": ("BOUNCED", "blocked the mail"),
    "dropped": ("QUEUED", "temporarily refused the mail"),
}
# A mail that is not answered is given up after a minute.
HANG_SECONDS = 62


class Handler:
    def __init__(self):
        self.mails = []
        self.recovered = False
        self.lock = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if not self.recovered:
            if name == "greylisted":
                return "450 4.2.0 come back later"
            if name == "closing":
                return "421 4.3.2 the server is going down"
            if name == "gone":
                return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0]
        self.mails.append((name, session.ssl is not None, email.message_from_bytes(envelope.content)))
        if name == "locked" and self.lock is None:
            self.lock = self.bell.open()
            self.lock.execute("BEGIN IMMEDIATE")
        if not self.recovered:
            if name == "spam":
                return "554 5.7.1 this looks like spam"
            if name == "dropped":
                server.transport.abort()
            if name == "hanging":
                await asyncio.sleep(HANG_SECONDS)
        return "250 taken"

    def sent_to(self, name):
        return [message for to, _, message in self.mails if to == name]


def deliveries(bell, members):
    """Status and error of the one mail to each member, by name."""
    query = "query ($id: ID!) { node(id: $id) { ... on Member { deliveries(first: 5, filter: { alertKinds: [TEST] }) { nodes { status lastError } } } } }"
    of = lambda member: bell.call(query, id=member)["node"]["deliveries"]["nodes"][0]
    return {name: of(member) for name, member in members.items()}


def check_record(bell, handler, send_to):
    """While a mail is with the mail server, another program begins to hold the database's lock, for longer than a statement waits for it."""
    send_to("locked")
    until(lambda: "could not be recorded yet" in bell.said(), "the record fails", HANG_SECONDS)
    assert len(handler.sent_to("locked")) == 1
    handler.lock.rollback()
    sent = "SELECT COUNT(*) FROM delivery WHERE status = 'SENT' AND address = 'locked@example.com' AND attempts = 1"
    until(lambda: bell.count(sent) == 1, "the record is made")
    assert len(handler.sent_to("locked")) == 1, "it is sent once"


def main(certificate, key_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    handler = Handler()
    mail = MailServer(handler, tls_context=context, require_starttls=True)
    mail.start()
    settings = {"SSL_CERT_FILE": certificate}
    with Ledgerbell(f"smtp://localhost:{mail.port}?tls=required", settings) as bell:
        handler.bell = bell
        server = bell.serve()
        try:
            create = """mutation { createAccount(input: { name: "Team", creditPrice: "1", currency: "EUR",
                owner: { name: "Owner" } }) { account { id } } }"""
            account = bell.call(create)["createAccount"]["account"]["id"]
            add = """mutation ($input: AddMemberInput!) { addMember(input: $input) { member { id } } }"""
            send = """mutation ($id: ID!) { sendTestNotification(input: { memberId: $id, channel: EMAIL }) { alert { id } } }"""

            def send_to(name):
                """Sends mail to a new member, and gives their id."""
                new = {"accountId": account, "name": name.title(), "email": f"{name}@example.com"}
                member = bell.call(add, input=new)["addMember"]["member"]["id"]
                assert bell.call(send, id=member)["sendTestNotification"]["alert"]
                return member

            members = {name: send_to(name) for name in EXPECTED}
            ended = "SELECT COUNT(*) FROM delivery WHERE channel = 'EMAIL' AND attempts = 1 AND status <> 'SENDING'"
            until(lambda: bell.count(ended) == len(EXPECTED), "every mail was tried", 2 * HANG_SECONDS)
            for name, found in deliveries(bell, members).items():
                status, error = EXPECTED[name]
                assert found["status"] == status, (name, found)
                assert (found["lastError"] is None) == (error is None) and (error or "") in (found["lastError"] or ""), (name, found)
            handler.recovered = True
            bell.make_due("QUEUED")
            waiting = "SELECT COUNT(*) FROM delivery WHERE status IN ('QUEUED', 'SENDING')"
            until(lambda: bell.count(waiting) == 0, "what was not taken is sent again")
            check_record(bell, handler, send_to)
        finally:
            end(server)
            mail.stop()
    assert all(over_tls for _, over_tls, _ in handler.mails), "a mail came in the clear"
    [message] = handler.sent_to("ada")
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html"], kinds
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Test"), (message["To"], message["Subject"])
    for name in ["greylisted", "closing"]:
        assert len(handler.sent_to(name)) == 1, name
    assert len(handler.sent_to("spam")) == 1 and not handler.sent_to("gone"), "what came back is not sent again"
    # Taken over, but nobody said so: sent again, and mail programs can tell.
    for name in ["dropped", "hanging"]:
        first, second = handler.sent_to(name)
        assert first["Message-ID"] == second["Message-ID"], name
    print(f"over TLS: {len(handler.mails)} mails were handed over; 421, 450 and silence were tried again, 550 and 554 came back, a lost record was made again")


main(*sys.argv[1:])
