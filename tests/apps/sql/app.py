"""Orders in PostgreSQL: an HTTP service on the driver that DRIVER names, with one deliberate change or none (BUG)."""

import importlib
import json
import os
import queue
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRIVER = os.environ["DRIVER"]
BUG = os.environ.get("BUG", "")
DSN = os.environ["DSN"]
POOL = int(os.environ.get("POOL", "2"))

driver = importlib.import_module(f"driver_{DRIVER}")
pool = queue.LifoQueue()


def migrate():
    with driver.connect(DSN) as db:
        db.run("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text NOT NULL, price numeric(8,2), tags text[])")
        db.run("CREATE TABLE IF NOT EXISTS stock (name text PRIMARY KEY, amount int NOT NULL)")
        db.commit()


def create(db, order):
    amount = "SELECT amount FROM stock WHERE name = %s"
    before = [] if BUG == "missing" else db.rows(amount, order["name"])
    if BUG == "extra":
        db.rows("SELECT count(*) FROM orders")
    insert = "INSERT INTO orders (name, price, tags) VALUES (%s, %s, %s) RETURNING id"
    if BUG == "sql":
        insert = "INSERT INTO orders (name, price, tags) VALUES (%s, %s, %s) RETURNING id, name"
    price = driver.number("9.99" if BUG == "param" else order["price"])
    if BUG == "reorder":
        db.run("UPDATE stock SET amount = amount - 1 WHERE name = %s", order["name"])
    number = db.rows(insert, order["name"], price, ["new", order["name"]])[0][0]
    if BUG != "reorder":
        db.run("UPDATE stock SET amount = amount - 1 WHERE name = %s", order["name"])
    if BUG == "twice":
        db.run("UPDATE stock SET amount = amount - 1 WHERE name = %s", order["name"])
    after = db.rows(amount, order["name"])
    db.rollback() if BUG == "rollback" else db.commit()
    return {"id": number, "before": before[0][0] if before else None, "after": after[0][0] if after else None}


def read(db, number):
    found = db.rows("SELECT id, name, price, tags FROM orders WHERE id = %s", number)
    db.commit()
    return [[id, name, str(price), tags] for id, name, price, tags in found]


def types(db):
    row = db.rows(
        "SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\\x00ff'::bytea, date '2024-02-29', "
        "timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid, "
        "'{\"a\": [1]}'::jsonb, array[1,2], inet '10.0.0.1', NULL"
    )[0]
    db.commit()
    return [repr(bytes(value)) if isinstance(value, memoryview) else repr(value) for value in row]


def refuse(db):
    try:
        db.rows("SELECT 1/0")
    except driver.Error as error:
        db.rollback()
        return {"code": error.sqlstate if hasattr(error, "sqlstate") else error.pgcode}


def load(db, lines):
    db.copy_in("COPY stock FROM STDIN", "".join(f"{name}\t{amount}\n" for name, amount in lines))
    text = db.copy_out("COPY (SELECT * FROM stock ORDER BY name) TO STDOUT")
    db.commit()
    return text


def large(db, count):
    rows = db.rows("SELECT n, repeat('x', 1000) FROM generate_series(1, %s) n", count)
    db.commit()
    return {"rows": len(rows), "bytes": sum(len(row[1]) for row in rows), "last": rows[-1][0]}


def fetch(db):
    parts = db.fetch("SELECT n FROM generate_series(1, 5) n", 2)
    db.commit()
    return parts


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, handle):
        db = pool.get()
        try:
            body = json.dumps(handle(db)).encode()
            status = 200
        except Exception as error:
            body, status = repr(error).encode(), 500
        finally:
            pool.put(db)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind, _, rest = self.path.strip("/").partition("/")
        handlers = {
            "orders": lambda db: read(db, int(rest)),
            "types": types,
            "refuse": refuse,
            "fetch": fetch,
            "large": lambda db: large(db, int(rest)),
        }
        self.answer(handlers[kind])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer((lambda db: load(db, body)) if self.path == "/stock" else (lambda db: create(db, body)))

    def log_message(self, *args):
        pass


migrate()
for _ in range(POOL):
    pool.put(driver.connect(DSN))
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
