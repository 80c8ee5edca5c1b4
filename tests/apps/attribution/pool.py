"""A service that hands requests over: one thread reads them all, and a queue gives them to workers, which make three calls and answer.

The queue wakes a worker by a futex. PORT and DEPENDENCY (host:port) come from the environment. Each call carries the request's id
in its path: that is for the measurement.
"""

import http.client
import os
import queue
import selectors
import socket
import threading

work = queue.Queue()


def worker():
    dependency = http.client.HTTPConnection(os.environ["DEPENDENCY"])
    while True:
        connection, identity = work.get()
        for step in (1, 2, 3):
            dependency.request("GET", f"/step/{identity}/{step}")
            dependency.getresponse().read()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")


def main():
    for _ in range(64):
        threading.Thread(target=worker, daemon=True).start()
    ready = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=128)
    ready.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in ready.select():
            if key.data is None:
                connection, _ = listener.accept()
                ready.register(connection, selectors.EVENT_READ, bytearray())
                continue
            key.data.extend(received := key.fileobj.recv(65536))
            if not received:
                ready.unregister(key.fileobj)
                key.fileobj.close()
            elif key.data.endswith(b"\r\n\r\n"):
                identity = key.data.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode()
                key.data.clear()
                work.put((key.fileobj, identity))


main()
