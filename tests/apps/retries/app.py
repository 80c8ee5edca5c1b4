"""A service that asks its store for the key KEY, and asks again for as long as that fails: at once, without end."""

import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = os.environ["KEY"]


def ask():
    with socket.create_connection(("127.0.0.1", int(os.environ["STORE"]))) as store:
        store.sendall(f"*2\r\n$3\r\nGET\r\n${len(KEY)}\r\n{KEY}\r\n".encode())
        return store.recv(1024).decode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = "-"
        while answer[:1] in ("", "-"):
            try:
                answer = ask()
            except OSError:
                continue
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
