"""A worker is killed again and again (SIGKILL) while three thousand alerts are due, and nothing is lost by it.

Every member has every alert in the app exactly once. Every mail arrives; it arrives twice only if a worker died between the mail
server's taking it over and the note of that, which is at most one mail for each death.

Half of the deaths are spread over the raising of alerts, half over the sending of mail: before the server has heard the recipient,
when it has the mail but has not said so, right after it has said so, and at the beginning of the next mail. They come at a progress,
not at a time. Usage: crash.py [SEED]
"""

import collections
import concurrent.futures
import email
import random
import signal
import sys
import time

from ledgerbell import PATIENCE_SECONDS, Ledgerbell, MailServer, end, until

ACCOUNTS = 1_250
AT_ONCE = 50
DEATHS = 50
# For each of these kinds, an alert in every account, to the owner and a member in the app, to the owner by mail: looked at one by one…
KINDS = ["ACCOUNT_FROZEN", "BALANCE_DEPLETED"]
# …but in every fifth account alerts about so many sessions, to the owner in the app: looked at together with those of other accounts.
SESSIONS = ["SESSION_CHARGED"] * 4
ALERTS = ACCOUNTS // 5 * (4 * len(KINDS) + len(SESSIONS))
MAILS = ACCOUNTS // 5 * 4 * len(KINDS)
MOMENTS = ["recipient", "taken", "answered", "next"]


class Handler:
    """Takes all mail, and kills the worker of the present life at a moment of a mail.

    Arrivals are told apart by connection, which is a worker's life: what a worker has written may be read when it is dead already, and
    the next one sends.
    """

    def __init__(self):
        self.arrivals = []
        self.worker = None
        self.moment = None
        self.taken_now = False

    def live(self, worker, moment=None, after=0):
        """A new life, which ends at this moment of the mail that comes after so many have arrived."""
        self.worker, self.moment = worker, moment and (moment, after)

    def at(self, moment):
        if self.moment and self.moment[0] == moment and len(self.arrivals) >= self.moment[1]:
            self.worker.send_signal(signal.SIGKILL)

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.at("next")
        envelope.mail_from = address
        return "250 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.at("recipient")
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        self.arrivals.append((session.number, message["Message-ID"]))
        self.taken_now = True
        self.at("taken")
        return "250 taken"

    def answered(self, status):
        if self.taken_now and b"taken" in bytes(status if isinstance(status, bytes) else status.encode()):
            self.taken_now = False
            self.at("answered")


def aliases(numbers, text):
    """One document that does the same for many."""
    return "mutation {" + " ".join(f"a{number}: {text(number)}" for number in numbers) + "}"


def has_sessions(number):
    return number % 5 == 4


def make_due(bell):
    """Accounts in which alerts are due that no worker has raised."""
    create = lambda n: f"""createAccount(input: {{ externalId: "team-{n}", name: "Team {n}", creditPrice: "1", currency: "EUR",
        owner: {{ name: "Owner {n}", externalId: "owner", email: "owner-{n}@example.com" }} }}) {{ account {{ id }} }}"""

    add = lambda n: f'addMember(input: {{ accountId: "{ids[n]}", name: "Member {n}" }}) {{ member {{ id }} }}'
    freeze = lambda n: f'freezeAccount(input: {{ accountId: "{ids[n]}", reason: "Not paid." }}) {{ account {{ id }} }}'
    adjust = """mutation ($id: ID!, $amount: Credits!) { adjustCredits(input: { accountId: $id, amount: $amount, description: "Test",
        idempotencyKey: "adjusted" }) { entry { id } } }"""
    book = """mutation ($id: ID!, $items: [BookSessionInput!]!) { bookSessions(input: { accountId: $id, items: $items })
        { results { userErrors { code } } } }"""
    complete = """mutation ($id: ID!, $items: [CompleteSessionInput!]!) { completeSessions(input: { accountId: $id, items: $items })
        { results { userErrors { code } } } }"""
    ids = {}

    def hold_sessions(account):
        names = [str(at) for at in range(len(SESSIONS))]
        times = {"startsAt": "2099-01-01T10:00:00Z", "endsAt": "2099-01-01T11:00:00Z"}
        booked = [{"memberExternalId": "owner", "externalId": at, "title": "Talk", "credits": "1", "idempotencyKey": f"b-{at}", **times} for at in names]
        completed = [{"externalId": at, "idempotencyKey": f"c-{at}"} for at in names]
        for name, document, items in [("bookSessions", book, booked), ("completeSessions", complete, completed)]:
            results = bell.call(document, id=account, items=items)[name]["results"]
            assert results == [{"userErrors": []}] * len(items), results

    def some(first):
        numbers = range(first, first + AT_ONCE)
        made = bell.call(aliases(numbers, create))
        ids.update({n: made[f"a{n}"]["account"]["id"] for n in numbers})
        bell.call(aliases(numbers, add))
        for n in numbers:
            assert bell.call(adjust, id=ids[n], amount="100" if has_sessions(n) else "-1")["adjustCredits"]["entry"]
            if has_sessions(n):
                hold_sessions(ids[n])
        bell.call(aliases([n for n in numbers if not has_sessions(n)], freeze))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(0, ACCOUNTS, AT_ONCE)))


def alerts(bell):
    return bell.count("SELECT COUNT(*) FROM alert")


def unsent(bell):
    return bell.count("SELECT COUNT(*) FROM delivery WHERE channel = 'EMAIL' AND status IN ('QUEUED', 'SENDING')")


def kill_again_and_again(bell, handler, dice):
    """Gives how many died while alerts were raised, and how many at each moment of a mail."""
    died = collections.Counter()
    for death in range(DEATHS):
        raised, arrived = alerts(bell), len(handler.arrivals)
        worker = bell.start("worker")
        if death < DEATHS // 2 and raised < ALERTS:
            # A little more than half of what is an even share, and never so many that none are left.
            share = (ALERTS - raised) // (DEATHS // 2 - death + 1)
            goal = raised + dice.randint(1, max(1, share))
            handler.live(worker)
            until(lambda: alerts(bell) >= goal, "alerts are raised")
            worker.kill()
            died["while alerts are raised"] += 1
        else:
            share = (MAILS - arrived) // (DEATHS - death + 1)
            moment = MOMENTS[death % len(MOMENTS)]
            handler.live(worker, moment, arrived + dice.randint(0, max(1, share)))
            until(lambda: worker.poll() is not None, "the worker dies")
            died[moment] += 1
        worker.wait(timeout=PATIENCE_SECONDS)
        assert worker.returncode == -signal.SIGKILL, worker.returncode
        bell.make_due("SENDING")
    return died


def finish(bell, handler):
    worker = bell.start("worker")
    handler.live(worker)
    until(lambda: alerts(bell) == ALERTS and unsent(bell) == 0, "all is sent", 2 * PATIENCE_SECONDS)
    end(worker)


def check_inboxes(bell):
    """Every member of every account has every alert in the app once. Gives the ids of the mails."""
    mails, inboxes, after = [], 0, None
    query = """query ($after: String) { accounts(first: 20, after: $after) { pageInfo { hasNextPage endCursor } nodes { externalId
        members(first: 5) { nodes { role deliveries(first: 10) { nodes { id channel status alert { kind } } } } } } } }"""
    while True:
        page = bell.call(query, after=after)["accounts"]
        for account, member in ((account, member) for account in page["nodes"] for member in account["members"]["nodes"]):
            is_owner = member["role"] == "OWNER"
            if has_sessions(int(account["externalId"].removeprefix("team-"))):
                shown, mailed = (SESSIONS if is_owner else []), 0
            else:
                shown, mailed = KINDS, len(KINDS) if is_owner else 0
            nodes = member["deliveries"]["nodes"]
            in_app = sorted(one["alert"]["kind"] for one in nodes if one["channel"] == "IN_APP")
            assert in_app == shown, in_app
            inboxes += 1
            by_mail = [one for one in nodes if one["channel"] == "EMAIL" and one["status"] != "SUPPRESSED"]
            assert len(by_mail) == mailed, by_mail
            assert all(one["status"] == "SENT" for one in by_mail), by_mail
            mails.extend(one["id"] for one in by_mail)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert inboxes == 2 * ACCOUNTS, inboxes
    return mails


def check_mails(bell, handler, mails):
    """Gives how many arrived twice, after looking at when."""
    arrived = collections.Counter(message_id for _, message_id in handler.arrivals)
    assert set(arrived) == {f"<{mail}@bell.example>" for mail in mails}, "mails were lost, or came from nowhere"
    # As they were sent, one life after the other.
    arrivals = sorted(handler.arrivals, key=lambda arrival: arrival[0])
    last_of_life = dict(arrivals)
    latest = {message_id: at for at, (_, message_id) in enumerate(arrivals)}
    for at, (life, message_id) in enumerate(arrivals):
        if latest[message_id] != at:
            assert last_of_life[life] == message_id, f"{message_id} was sent again, but no worker died over it. They said: {bell.said()}"
    again = len(handler.arrivals) - len(arrived)
    assert again <= DEATHS, again
    return again


def main(seed="1"):
    dice, handler = random.Random(int(seed)), Handler()
    mail = MailServer(handler)
    mail.start()
    begin = time.monotonic()
    with Ledgerbell(f"smtp://127.0.0.1:{mail.port}") as bell:
        server = bell.serve("--no-workers")
        make_due(bell)
        end(server)
        assert alerts(bell) == 0, "somebody has raised alerts already"
        due = time.monotonic()
        died = kill_again_and_again(bell, handler, dice)
        finish(bell, handler)
        done = time.monotonic()
        server = bell.serve("--no-workers")
        mails = check_inboxes(bell)
        end(server)
        bell.run("verify")
        mail.stop()
        again = check_mails(bell, handler, mails)
    deaths = ", ".join(f"{count} {moment}" for moment, count in died.items())
    print(f"{DEATHS} deaths (seed {seed}: {deaths}): {ALERTS} alerts, each in the app once; {len(mails)} mails, each arrived, {again} of them twice")
    print(f"{due - begin:.0f} s until all was due, {done - due:.0f} s until all had arrived")


main(*sys.argv[1:])
