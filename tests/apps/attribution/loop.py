"""A service on asyncio: each request makes three calls, one after another, over connections that are kept for the next.

PORT and DEPENDENCY (host:port) come from the environment. Each call carries the request's id in its path: that is for the measurement.
"""

import asyncio
import os

host, port = os.environ["DEPENDENCY"].rsplit(":", 1)
idle = []


async def call(identity, step):
    reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port))
    writer.write(f"GET /step/{identity}/{step} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    idle.append((reader, writer))


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            identity = head.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode()
            for step in (1, 2, 3):
                await call(identity, step)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=128)
    await server.serve_forever()


asyncio.run(main())
