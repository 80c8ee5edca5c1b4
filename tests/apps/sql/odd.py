"""What drivers seldom say to PostgreSQL: notices, notifications, a cancelled query, function calls, a pipeline that fails."""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import psycopg2

BUG = os.environ.get("BUG", "")
DSN = os.environ["DSN"]


def notice():
    said = []
    with psycopg.connect(DSN, autocommit=True) as db:
        db.add_notice_handler(lambda diagnostic: said.append([diagnostic.severity, diagnostic.message_primary]))
        word = "low" if BUG == "notice" else "running low"
        db.execute(f"DO $$ BEGIN RAISE NOTICE 'stock is {word}'; RAISE WARNING 'order more'; END $$")
    return said


def notification():
    """One session hears what another says, while it waits for nothing else."""
    with psycopg.connect(DSN, autocommit=True) as hears, psycopg.connect(DSN, autocommit=True) as says:
        hears.execute("LISTEN stock")
        says.execute("SELECT pg_notify('stock', 'pens')")
        return [[said.channel, said.payload] for said in hears.notifies(timeout=20, stop_after=1)]


def cancelled():
    with psycopg.connect(DSN, autocommit=True) as db:
        timer = threading.Timer(0.5, db.cancel_safe)
        timer.start()
        try:
            db.execute("SELECT pg_sleep(60)")
        except psycopg.errors.QueryCanceled as error:
            return error.sqlstate
        finally:
            timer.join()


def functions():
    """libpq reads and writes large objects by FunctionCall."""
    db = psycopg2.connect(DSN)
    large = db.lobject(0, "wb")
    large.write(b"a letter" if BUG == "function" else b"a long letter")
    number = large.oid
    large.close()
    large = db.lobject(number, "rb")
    text = large.read().decode()
    large.unlink()
    db.rollback()
    db.close()
    return text


def pipeline():
    """The server passes over what follows an error, until the pipeline is synchronised."""
    with psycopg.connect(DSN, autocommit=True) as db:
        outcomes = []
        with db.pipeline():
            calls = [db.execute("SELECT %s + 1", (number,)) for number in (1, 2)]
            outcomes.extend(call.fetchone()[0] for call in calls)
        try:
            with db.pipeline():
                for number in (2, 0, 4):
                    db.execute("SELECT 8 / %s", (number,))
        except psycopg.errors.DivisionByZero as error:
            outcomes.append(error.sqlstate)
        outcomes.append(db.execute("SELECT 'after'").fetchone()[0])
        return outcomes


ANSWERS = {f"/{answer.__name__}": answer for answer in (notice, notification, cancelled, functions, pipeline)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            body, status = json.dumps(ANSWERS[self.path]()).encode(), 200
        except Exception as error:
            body, status = repr(error).encode(), 500
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
