"""A service of the standard library alone, for the tests that need an odd one. PORT and DEPENDENCY (host:port) come from the environment.

GET /ping asks the dependency once, or TIMES times, for one more hit, and answers with the peer's address and the reply. STALL=1 makes it
say `stalled` on standard output instead, and call the dependency for as long as it lives. END=STATUS or
END=SIGSEGV ends it so after its first answer. BIND is where it listens.
"""

import http.server
import json
import os
import signal
import socket
import sys

host, port = os.environ["DEPENDENCY"].rsplit(":", 1)


def hit():
    with socket.create_connection((host.strip("[]"), int(port))) as store:
        store.sendall(b"*2\r\n$4\r\nINCR\r\n$4\r\nhits\r\n")
        reply = store.makefile("rb").readline().decode().strip()
        return {"peer": list(store.getpeername()[:2]), "reply": reply}


def stall():
    print("stalled", flush=True)
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port))).close()
        except OSError:
            pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if os.environ.get("STALL"):
            stall()
        try:
            answers = [hit() for _ in range(int(os.environ.get("TIMES", "1")))]
        except OSError as error:
            answers = [{"error": str(error)}]
        body = json.dumps(answers[-1] if answers else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        end = os.environ.get("END")
        if end == "SIGSEGV":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif end:
            os._exit(int(end))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in os.environ.get("BIND", "") else socket.AF_INET


def told(number, _frame):
    print("got", signal.Signals(number).name, flush=True)
    sys.exit(0)


signal.signal(signal.SIGINT, told)
signal.signal(signal.SIGTERM, told)
Server((os.environ.get("BIND", "127.0.0.1"), int(os.environ["PORT"])), Handler).serve_forever()
