"""psycopg2: parameters are written into the statements, which go by the simple protocol."""

import io
from decimal import Decimal

import psycopg2
from psycopg2 import Error

number = Decimal


class connect:
    def __init__(self, dsn):
        self.db = psycopg2.connect(dsn)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.close()

    def run(self, sql, *params):
        self.db.cursor().execute(sql, params or None)

    def rows(self, sql, *params):
        cursor = self.db.cursor()
        cursor.execute(sql, params or None)
        return cursor.fetchall()

    def fetch(self, sql, count):
        cursor = self.db.cursor("five")
        cursor.execute(sql)
        parts = []
        while part := cursor.fetchmany(count):
            parts.append([row[0] for row in part])
        cursor.close()
        return parts

    def copy_in(self, sql, text):
        self.db.cursor().copy_expert(sql, io.StringIO(text))

    def copy_out(self, sql):
        out = io.StringIO()
        self.db.cursor().copy_expert(sql, out)
        return out.getvalue()

    def commit(self):
        self.db.commit()

    def rollback(self):
        self.db.rollback()
