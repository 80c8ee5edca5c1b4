"""A service that makes up what its clients must come back with: ids, tokens, cookies, cursors.

PORT and REDIS_PORT come from the environment. BUG selects one deliberate change, for the tests that must fail: reject, missing,
open, other, forgets.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import secrets
import socket
import time
import urllib.parse
import uuid

BUG = os.environ.get("BUG", "")
KEY = b"a key that does not change"
cursors, forms = {}, set()


def call(*words):
    parts = [f"*{len(words)}"] + [part for word in words for part in (f"${len(word)}", word)]
    with socket.create_connection(("127.0.0.1", int(os.environ["REDIS_PORT"])), timeout=10) as store:
        store.sendall(("\r\n".join(parts) + "\r\n").encode())
        reply = store.makefile("rb")
        head = reply.readline().decode().strip()
        if head.startswith("$") and head != "$-1":
            return reply.read(int(head[1:]) + 2)[:-2].decode()
        return None if head == "$-1" else head


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(text, key):
    return part(hmac.new(key, text.encode(), hashlib.sha256).digest())


def token(user):
    claims = {"sub": user, "jti": str(uuid.uuid4()), "iat": int(time.time())}
    text = part(b'{"alg":"HS256"}') + "." + part(json.dumps(claims).encode())
    return text + "." + sign(text, b"another" if BUG == "reject" else KEY)


def is_valid(bearer):
    text, _, signature = bearer.removeprefix("Bearer ").rpartition(".")
    return hmac.compare_digest(sign(text, KEY), signature)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **header):
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in header.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/login":
            session, user = str(uuid.uuid4()), json.loads(body)["user"]
            call("SET", f"session:{session}", user)
            answer = {"user": user, "token": token(user)}
            if BUG == "missing":
                del answer["token"]
            return self.answer(200, answer, Set_Cookie=f"sid={session}; Path=/; HttpOnly")
        if self.path == "/form":
            form = dict(urllib.parse.parse_qsl(body))
            return self.answer(200, {"taken": form["note"]}) if form["csrf"] in forms else self.answer(403, {"taken": None})
        order = str(uuid.uuid4())
        call("SET", f"order:{order}", json.loads(body)["item"])
        self.answer(201, {"item": json.loads(body)["item"]}, Location=f"/orders/{order}")

    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if path == "/me":
            session = self.headers["Cookie"].split("sid=")[1].split(";")[0]
            user = "alice" if BUG == "open" else call("GET", f"session:{session}")
            return self.answer(200, {"user": user}) if user else self.answer(401, {"user": None})
        if path == "/account":
            return self.answer(200 if is_valid(self.headers["Authorization"]) else 401, {"balance": 12})
        if path == "/form":
            csrf = secrets.token_hex(16)
            forms.add(csrf)
            return self.answer(200, f'<form><input name="kind" value="note"><input name="csrf" value="{csrf}"></form>')
        if path == "/items":
            if "cursor" in query:
                at = None if BUG == "forgets" else cursors.get(query["cursor"])
                return self.answer(200 if at else 400, {"items": ["milk"], "from": at})
            cursor = base64.b64encode(secrets.token_bytes(17)).decode()
            cursors[cursor] = 10
            return self.answer(200, {"items": ["tea"], "next": cursor})
        if path.startswith("/orders/"):
            order = path.removeprefix("/orders/")
            item = call("GET", f"order:{order}")
            return self.answer(200, {"id": str(uuid.uuid4()) if BUG == "other" else order, "item": item})
        if path == "/chance":
            # What a client may come to by itself, and is not the same twice.
            number, state = random.choice([(7, "pending"), (8, "done"), (9, "failed")])
            return self.answer(200, {"number": number, "state": state, "day": f"2026-11-{number:02}"})
        self.answer(200, query)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
