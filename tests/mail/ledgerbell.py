"""A Ledgerbell that a test starts and ends, its database, and mail servers for it."""

import itertools
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

PATIENCE_SECONDS = 30
EXECUTABLE = os.path.join(os.path.dirname(__file__), "../../target/debug/ledgerbell")

# Servers whose clients are killed have much to say about it.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(holds, what, seconds=PATIENCE_SECONDS):
    """Waits for a condition that is going to hold."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, f"{what}: not within {seconds} s"
        time.sleep(0.01)


class Ledgerbell:
    """An installation with an SQLite database of its own, and the processes that are started on it."""

    def __init__(self, smtp_url, settings=None):
        self.directory = tempfile.TemporaryDirectory(prefix="ledgerbell-mail.")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = None
        self.processes = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "LEDGERBELL_MODE": "development",
            "LEDGERBELL_LISTEN": f"127.0.0.1:{self.port}",
            "LEDGERBELL_DATA_DIR": self.directory.name,
            "LEDGERBELL_LOG_LEVEL": "warn",
            "LEDGERBELL_MAIL_SMTP_URL": smtp_url,
            "LEDGERBELL_MAIL_FROM": "Bell <bell@bell.example>",
            "LEDGERBELL_APP_URL": "https://app.example/credits",
            **(settings or {}),
        }
        self.run("migrate")
        self.rows = self.open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.rows.close()
        self.directory.cleanup()

    def run(self, *arguments):
        """Runs a command to its end, and gives what it said."""
        ran = subprocess.run([EXECUTABLE, *arguments], env=self.environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def open(self):
        """A connection to the database, which any thread may use."""
        path = f"{self.directory.name}/ledgerbell.db"
        return sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)

    def start(self, *arguments):
        with open(f"{self.directory.name}/log", "a") as log:
            self.processes.append(subprocess.Popen([EXECUTABLE, *arguments], env=self.environment, stdout=log, stderr=log))
        return self.processes[-1]

    def said(self):
        """What all processes have said so far."""
        with open(f"{self.directory.name}/log") as log:
            return log.read()

    def serve(self, *flags):
        """A serving process; to be ended by `end`."""
        server = self.start("serve", *flags)
        until(lambda: self.is_ready(server), "the server is ready")
        if self.key is None:
            permissions = "MANAGE_ACCOUNTS,MANAGE_SETTINGS,MANAGE_MEMBERS,MANAGE_CREDITS,BOOK_SESSIONS,SETTLE_SESSIONS,READ_CREDIT_LOG"
            words = self.run("api-key", "create", "--name", "Test", "--permissions", permissions).split()
            self.key = next(word for word in words if word.startswith("lb_"))
        return server

    def is_ready(self, server):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{self.url}/health/ready", timeout=1)
            return True
        except OSError:
            return False

    def call(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as refused:
            raise AssertionError(refused.read().decode()) from refused
        assert "errors" not in answer, answer
        return answer["data"]

    def make_due(self, status):
        """Lets the time pass for which mail of this status waits, by moving that time in the rows."""
        self.rows.execute("UPDATE delivery SET next_attempt_at = 0 WHERE status = ?", [status])

    def count(self, sql):
        return self.rows.execute(sql).fetchone()[0]


def end(process, how=signal.SIGTERM):
    process.send_signal(how)
    process.wait(timeout=PATIENCE_SECONDS)


class MailServer(Controller):
    """A mail server that does what its handler says, and tells it of every answer that has left."""

    def __init__(self, handler, **settings):
        super().__init__(handler, hostname="127.0.0.1", port=free_port(), **settings)

    def factory(self):
        return Conversation(self.handler, **self.SMTP_kwargs)


class Conversation(SMTP):
    """A session has a number, in the order of connecting."""

    numbers = itertools.count()

    def connection_made(self, transport):
        super().connection_made(transport)
        self.session.number = next(self.numbers)

    async def push(self, status):
        await super().push(status)
        if hasattr(self.event_handler, "answered"):
            self.event_handler.answered(status)
