"""A service that answers some requests by closing the connection.

PORT says where it listens. GONE says what it does with /gone: close (the default), late or hang. /open is never answered.
"""

import os
import socket
import time

server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
gone = os.environ.get("GONE", "close")
held = []
while True:
    client, _ = server.accept()
    request = client.recv(65536)
    if b"/open" in request or (b"/gone" in request and gone == "hang"):
        held.append(client)
        continue
    if b"/gone" not in request or gone == "late":
        time.sleep(0.06)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    client.close()
