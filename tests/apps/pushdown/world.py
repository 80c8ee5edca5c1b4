"""Servers and their clients in one process, which do on command what could be lost: requests at once, in pieces, after a reset.

It prints its ports: two of IPv4 in order, one of both families, one whose server reads only after a reset, one that a client calls from. A line
`old` on standard input opens connections and uses them, `go` does the rest; each is answered with `done` when all is read and closed.
"""

import socket
import struct
import sys
import threading

FIRST_READ = threading.Event()
ACCEPTED = threading.Event()
HANDLERS = []


def listen(family, host):
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((host, 0))
    listener.listen(64)
    return listener


def pieces(connection, data, at):
    """Sends data in two pieces, or byte by byte where there is no place."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in [data[:at], data[at:]] if at is not None else [bytes([byte]) for byte in data]:
        if part:
            connection.sendall(part)


def answer(path):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(path)}\r\n\r\n{path}".encode()


def serve(connection):
    """Answers each request with its path, read byte by byte and answered as the path says."""
    head = b""
    try:
        while byte := connection.recv(1):
            head += byte
            if head.endswith(b"\r\n\r\n"):
                path = head.split()[1].decode()
                word, _, at = path[1:].partition("/")
                whole = answer(path)
                pieces(connection, whole, {"bytes": None, "split": int(at) % len(whole) if word == "split" else 0}.get(word, 0))
                head = b""
    except ConnectionError:
        pass
    connection.close()


def late(connection):
    """Reads what came before a reset, once the reset is there."""
    ACCEPTED.set()
    FIRST_READ.wait()
    serve(connection)


def accept(listener, handle):
    while True:
        connection, _ = listener.accept()
        handler = threading.Thread(target=handle, args=(connection,))
        HANDLERS.append(handler)
        handler.start()


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def hear(connection, path, size=4096):
    """Reads the answer, and nothing beyond it."""
    left = len(answer(path))
    while left:
        left -= len(connection.recv(min(size, left)))


def visit(connection, path):
    connection.sendall(request(path))
    hear(connection, path)


def call(address, source=None):
    """A connection from a fresh socket of the address's family."""
    return socket.create_connection(address, source_address=source)


def shapes(address):
    with call(address) as connection:
        paths = ["/one", "/healthz", "/two"]
        connection.sendall(b"".join(map(request, paths)))
        for path in paths:
            hear(connection, path)
        for path in ["/healthz", "/kept", "/kept/again", "/healthz"]:
            visit(connection, path)
    with call(address) as connection:
        pieces(connection, request("/bytes"), None)
        hear(connection, "/bytes", 1)
        for at in range(1, 40):
            pieces(connection, request(f"/split/{at}"), at)
            hear(connection, f"/split/{at}")


def main():
    # In the order of their ports.
    one, two, reset = sorted((listen(socket.AF_INET, "") for _ in range(3)), key=lambda listener: listener.getsockname()[1])
    both, caller = listen(socket.AF_INET6, "::"), socket.socket()
    caller.bind(("127.0.0.1", 0))
    for listener, handle in [(one, serve), (two, serve), (both, serve), (reset, late)]:
        threading.Thread(target=accept, args=(listener, handle), daemon=True).start()
    ports = [listener.getsockname()[1] for listener in (one, two, both, reset)]
    from_port = caller.getsockname()[1]
    caller.close()
    print(*ports, from_port, flush=True)
    old = []
    for command in sys.stdin:
        if command == "old\n":
            old = [call(("127.0.0.1", port)) for port in ports[:2]]
            for connection in old:
                visit(connection, "/before")
        else:
            go(ports, from_port, old)
            while HANDLERS:
                HANDLERS.pop().join()
        print("done", flush=True)


def go(ports, from_port, old):
    for connection in old:
        visit(connection, "/old")
        connection.close()
    one, two, both, reset = ports
    for address in [("127.0.0.1", one), ("127.0.0.1", two), ("127.0.0.1", both), ("::1", both)]:
        shapes(address)
    with call(("127.0.0.1", one), ("127.0.0.2", 0)) as connection:
        visit(connection, "/from-elsewhere")
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    caller.bind(("127.0.0.1", from_port))
    caller.connect(("127.0.0.1", two))
    visit(caller, "/from-port")
    # The port can be used again at once only if neither side waits (TIME_WAIT).
    abort(caller)
    FIRST_READ.clear()
    ACCEPTED.clear()
    connection = call(("127.0.0.1", reset))
    ACCEPTED.wait()
    connection.sendall(request("/reset"))
    abort(connection)
    FIRST_READ.set()


def abort(connection):
    """Closes with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


main()
