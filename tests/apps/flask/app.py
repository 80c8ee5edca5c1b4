"""An order service on Flask and redis-py: the test suite's Python app.

PORT and REDIS_PORT come from the environment. Every key is unique to its request, so a replay is exact under concurrency.
BUG selects one deliberate change, for the tests that must fail: key, field, extra, dropped.
"""

import json
import os

import redis
from flask import Flask, jsonify, request

BUG = os.environ.get("BUG", "")
app = Flask(__name__)
store = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]))


@app.post("/orders")
def create():
    order = request.get_json()
    key = f"order:{order['id']}" if BUG != "key" else f"orders:{order['id']}"
    store.set(key, json.dumps(order, sort_keys=True))
    if BUG != "dropped":
        store.rpush(f"audit:{order['id']}", "created")
    if BUG == "extra":
        store.get(f"order:{order['id']}")
    return jsonify(id=order["id"], items=len(order["items"]), status="new" if BUG != "field" else "open"), 201


@app.get("/orders/<order_id>")
def read(order_id):
    found = store.get(f"order:{order_id}")
    if found is None:
        return jsonify(error="no such order", id=order_id), 404
    return jsonify(json.loads(found))


@app.post("/orders/<order_id>/pay")
def pay(order_id):
    with store.pipeline(transaction=True) as pipe:
        pipe.hset(f"payment:{order_id}", mapping={"state": "paid", "order": order_id})
        pipe.expire(f"payment:{order_id}", 3600)
        pipe.hgetall(f"payment:{order_id}")
        _, _, payment = pipe.execute()
    return jsonify({k.decode(): v.decode() for k, v in payment.items()})


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
