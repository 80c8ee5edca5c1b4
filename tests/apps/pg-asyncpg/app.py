"""Orders on FastAPI and asyncpg, whose parameters and rows are binary. What it connects to, libpq's environment says."""

import base64
import hashlib
import hmac
import json
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

INSERT = "INSERT INTO orders (name, price, tags) VALUES ($1, $2, $3) RETURNING id"


class Order(BaseModel):
    name: str
    price: Decimal


@asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(min_size=2, max_size=5) as app.pool:
        await app.pool.execute(
            "CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])"
        )
        await app.pool.execute("CREATE TABLE IF NOT EXISTS tokens (id uuid PRIMARY KEY, ends timestamptz, token text)")
        yield


app = FastAPI(lifespan=lifespan)


async def find(db, number):
    row = await db.fetchrow("SELECT id, name, price, tags FROM orders WHERE id = $1", number)
    return {**row, "price": str(row["price"])}


@app.post("/orders")
async def create(order: Order):
    async with app.pool.acquire() as db, db.transaction():
        number = await db.fetchval(INSERT, order.name, order.price, ["new", "hot"])
        return await find(db, number)


@app.get("/orders/{number}")
async def read(number: int):
    return await find(app.pool, number)


@app.get("/types")
async def types():
    row = await app.pool.fetchrow(
        "SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\\x00ff'::bytea, date '2024-02-29', "
        "timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid, "
        "'{\"a\": [1]}'::jsonb, array[1,2], inet '10.0.0.1', NULL"
    )
    return [repr(value) for value in row]


@app.post("/undone")
async def undone(order: Order):
    async with app.pool.acquire() as db:
        try:
            async with db.transaction():
                await db.execute(INSERT, order.name, order.price, [])
                await db.execute("SELECT 1/0")
        except asyncpg.DivisionByZeroError as error:
            code = error.sqlstate
        left = await db.fetchval("SELECT count(*) FROM orders WHERE name = $1", order.name)
    return {"code": code, "left": left}


def signed(claims):
    """A JSON Web Token (RFC 7519)."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.new(b"a secret of the service", text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@app.post("/tokens")
async def issue():
    """Reads the clock, makes a UUID, and signs both."""
    number, ends = uuid.uuid4(), datetime.now(UTC) + timedelta(hours=1)
    token = signed({"sub": str(number), "exp": int(ends.timestamp())})
    await app.pool.execute("INSERT INTO tokens (id, ends, token) VALUES ($1, $2, $3)", number, ends, token)
    return {"id": str(number), "ends": ends.isoformat(), "token": token}


@app.post("/import")
async def load(orders: list[Order]):
    """A COPY in the binary format."""
    async with app.pool.acquire() as db:
        rows = [(order.name, order.price) for order in orders]
        return await db.copy_records_to_table("orders", records=rows, columns=["name", "price"])


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
