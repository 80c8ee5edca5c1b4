"""The client of the orders: every kind of request, so many times, one after another or from so many threads."""

import http.client
import json
import sys
import threading

port, clients, rounds = (int(word) for word in sys.argv[1:4])


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"{method} {path}: {answer.status} {text}")
    return json.loads(text)


def orders(client):
    for n in range(rounds):
        made = ask("POST", "/orders", {"name": f"tea-{client}-{n % 2}", "price": "2.50"})
        ask("GET", f"/orders/{made['id']}")


ask("POST", "/stock", [[f"tea-{client}-{kind}", 100] for client in range(clients) for kind in range(2)])
threads = [threading.Thread(target=orders, args=(client,)) for client in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for path in ["/types", "/refuse", "/fetch", "/large/200"]:
    ask("GET", path)
