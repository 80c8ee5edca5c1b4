"""A service that looks up names by the C library, for the tests of DNS. PORT comes from the environment, and so do NAMES, with spaces
between.

GET /names answers with the addresses of each name, or the error.
"""

import http.server
import json
import os
import socket


def addresses(name):
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(name, None)})
    except OSError as error:
        return str(error)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({name: addresses(name) for name in os.environ["NAMES"].split()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        # Not HTTPServer's, which looks up the host's own name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "dns.test", self.server_address[1]


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
