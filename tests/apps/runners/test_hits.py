"""A suite of Python's unittest that counts hits in a store."""

import os
import socket
import unittest


def incr(key):
    host, port = os.environ["DEPENDENCY"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as store:
        store.sendall(f"*2\r\n$4\r\nINCR\r\n${len(key)}\r\n{key}\r\n".encode())
        return store.recv(100).decode().strip()


class Hits(unittest.TestCase):
    def test_hits(self):
        for _ in range(int(os.environ.get("TIMES", "1"))):
            self.assertEqual(incr(os.environ.get("KEY", "hits")), os.environ.get("WANT", ":7"))
