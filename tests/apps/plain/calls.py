"""Reads each request and writes each response with another system call.

Listens on PORT, and ends after as many requests as there are ways. The nth is read with the nth of READS; its response is written
with the nth of WRITES, and is large enough to come in many segments.
"""

import os
import socket


def readv(conn):
    parts = [bytearray(7), bytearray(0), bytearray(60_000)]
    count = os.readv(conn.fileno(), parts)
    return b"".join(parts)[:count]


def recvmsg_into(conn):
    parts = [bytearray(100), bytearray(60_000)]
    count = conn.recvmsg_into(parts)[0]
    return b"".join(parts)[:count]


def peek(conn):
    conn.recv(40, socket.MSG_PEEK)
    return conn.recv(65_536)


def writev(conn, data):
    while data:
        data = data[os.writev(conn.fileno(), [data[:5], b"", data[5:90_000], data[90_000:]]) :]


def sendmsg(conn, data):
    while data:
        data = data[conn.sendmsg([data[:1], data[1:70_000], data[70_000:]]) :]


def write(conn, data):
    while data:
        data = data[os.write(conn.fileno(), data) :]


READS = [lambda conn: conn.recv(65_536), lambda conn: os.read(conn.fileno(), 65_536), readv, recvmsg_into, peek]
WRITES = [lambda conn, data: conn.sendall(data), write, writev, sendmsg, lambda conn, data: conn.sendall(data)]


def serve(conn, number):
    """Answers one request; false where the client has gone."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        part = READS[number](conn)
        if not part:
            return False
        request += part
    body = bytes(65 + (n + number) % 26 for n in range(500_000 + number))
    WRITES[number](conn, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def main():
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    number = 0
    while number < len(READS):
        with listener.accept()[0] as conn:
            while number < len(READS) and serve(conn, number):
                number += 1


main()
