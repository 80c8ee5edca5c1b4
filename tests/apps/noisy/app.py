"""A service whose answers and calls are never the same twice, in ways that are usual."""

import http.server
import json
import os
import random
import socket
import time
import uuid

HOST, STORE_PORT = os.environ["DEPENDENCY"].rsplit(":", 1)


def call(*words):
    parts = [f"*{len(words)}"] + [part for word in words for part in (f"${len(word)}", word)]
    with socket.create_connection((HOST, int(STORE_PORT)), timeout=10) as store:
        store.sendall(("\r\n".join(parts) + "\r\n").encode())
        return store.recv(1000).decode().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        order = str(uuid.uuid4())
        reply = call("SET", "order", order)
        tags = ["new", "paid", "sent", "late"]
        random.shuffle(tags)
        body = {
            "id": order,
            "number": f"ORD-{random.randrange(10 ** 8):08}",
            "made_at": time.time_ns() // 1000 + random.randrange(1000),
            "elapsed_ms": round(random.uniform(1, 3), 3),
            "items": [{"sku": "tea", "ref": uuid.uuid4().hex} for _ in range(2)],
            "tags": tags,
            "total": int(os.environ.get("TOTAL", "12")),
            "stored": reply,
        }
        if random.random() < 0.5:
            body["hint"] = "sometimes"
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
