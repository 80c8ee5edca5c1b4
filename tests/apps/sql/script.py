"""A service whose database is a psql script: each request runs it, with one deliberate change or none (BUG)."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

SCRIPT = r"""
\set ON_ERROR_STOP 0
CREATE TEMP TABLE shelf (name text, amount int);
COPY shelf FROM STDIN;
tea	7
coffee	\N
\.
BEGIN;
UPDATE shelf SET amount = amount - 1 WHERE name = 'tea' RETURNING amount;
SELECT 1/0;
ROLLBACK;
SELECT name, amount FROM shelf ORDER BY name; SELECT count(*) AS n FROM shelf \gset
SELECT :n + 1;
COPY shelf TO STDOUT;
"""

if os.environ.get("BUG") == "data":
    SCRIPT = SCRIPT.replace("tea\t7", "tea\t8")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        ran = subprocess.run(["psql", "-X", "-q", "-At", os.environ["DSN"]], input=SCRIPT, capture_output=True, text=True)
        body = (ran.stdout + ran.stderr).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
