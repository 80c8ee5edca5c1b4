"""The client of the services on PostgreSQL (`tests/apps/pg-*`): from so many threads, an order each is made and read; then one request of each other kind.
Where a kind is named, each thread makes one request of that kind, and that is all.
"""

import http.client
import json
import sys
import threading

port, clients = (int(word) for word in sys.argv[1:3])
failed = []


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        failed.append(f"{method} {path}: {answer.status} {text}")
        raise SystemExit
    return json.loads(text)


def order(client):
    made = ask("POST", "/orders", {"name": f"tea-{client}", "price": "2.50"})
    read = ask("GET", f"/orders/{made['id']}")
    if (read["name"], read["tags"]) != (f"tea-{client}", ["new", "hot"]):
        failed.append(f"another order came back: {read}")


def undo(client):
    ask("POST", "/undone", {"name": f"spilt-{client}", "price": "1.00"})


def load(client):
    ask("POST", "/import", [{"name": f"{kind}-{client}", "price": "0.80"} for kind in ("tea", "salt")])


def issue(client):
    ask("POST", "/tokens")


kind = sys.argv[3] if len(sys.argv) > 3 else None
each = {None: order, "undone": undo, "import": load, "tokens": issue}[kind]
threads = [threading.Thread(target=each, args=(client,)) for client in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if not failed and kind is None:
    ask("GET", "/types")
    undo("last")
if failed:
    sys.exit("\n".join(failed))
