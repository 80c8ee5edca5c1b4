"""A service on two ports with two dependencies, for what a recording leaves out: it also calls itself.

`/two...` asks the second dependency, `/self` the service's own second port, `/own` nobody, anything else the first dependency.
"""

import os
import socket
import socketserver
import threading

PORTS = [int(port) for port in os.environ["PORTS"].split()]
DEPENDENCIES = [("127.0.0.1", int(port)) for port in os.environ["DEPENDENCIES"].split()]


def ask(address, text, until):
    """Reads up to `until`, or to the end where there is none: who closes first is recorded."""
    with socket.create_connection(address) as connection:
        connection.sendall(text)
        answer = b""
        while not (until and answer.endswith(until)) and (part := connection.recv(4096)):
            answer += part


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            path = line.split()[1].decode()
            if path == "/self":
                ask(("127.0.0.1", PORTS[1]), b"GET /own HTTP/1.1\r\nHost: a\r\n\r\n", b"/own")
            elif path != "/own":
                ask(DEPENDENCIES[path.startswith("/two")], b"*2\r\n$4\r\nINCR\r\n$4\r\nhits\r\n", None)
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(path)}\r\n\r\n{path}".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


second = Server(("127.0.0.1", PORTS[1]), Handler)
threading.Thread(target=second.serve_forever, daemon=True).start()
Server(("127.0.0.1", PORTS[0]), Handler).serve_forever()
