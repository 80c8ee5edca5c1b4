"""psycopg 3: statements go by the extended protocol, and are prepared when they are used often."""

import os
from decimal import Decimal

import psycopg
from psycopg import Error

number = Decimal


class connect:
    def __init__(self, dsn):
        self.db = psycopg.connect(dsn)
        # Whether a statement is prepared, and after how many uses.
        threshold = os.environ.get("PREPARE", "5")
        self.db.prepare_threshold = None if threshold == "never" else int(threshold)
        self.binary = os.environ.get("FORMAT") == "binary"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.close()

    def run(self, sql, *params):
        self.db.execute(sql, params or None)

    def rows(self, sql, *params):
        return self.db.execute(sql, params or None, binary=self.binary).fetchall()

    def fetch(self, sql, count):
        with self.db.cursor(name="five") as cursor:
            cursor.execute(sql)
            parts = []
            while part := cursor.fetchmany(count):
                parts.append([row[0] for row in part])
            return parts

    def copy_in(self, sql, text):
        with self.db.cursor().copy(sql) as copy:
            copy.write(text)

    def copy_out(self, sql):
        with self.db.cursor().copy(sql) as copy:
            return b"".join(copy).decode()

    def commit(self):
        self.db.commit()

    def rollback(self):
        self.db.rollback()
