"""Serves localstripe on a free port of this machine alone, and says which. Its own command listens to everybody."""
import socket

from aiohttp import web
from localstripe import resources
from localstripe.server import app

# It would write all that it remembers into a file that every user of the machine shares.
resources.Store.dump_to_disk = lambda self: None

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
web.run_app(app, sock=listener, print=lambda *_: None, access_log=None)
