"""A service with a thread for each connection: it makes three calls, one after another, and answers.

PORT and DEPENDENCY (host:port) come from the environment. Each call carries the request's id in its path: that is for the measurement.
"""

import http.client
import http.server
import os
import socket


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.dependency = http.client.HTTPConnection(os.environ["DEPENDENCY"])
        self.dependency.connect()
        self.dependency.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self):
        identity = self.path.rsplit("/", 1)[1]
        for step in (1, 2, 3):
            self.dependency.request("GET", f"/step/{identity}/{step}")
            self.dependency.getresponse().read()
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def finish(self):
        super().finish()
        self.dependency.close()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
