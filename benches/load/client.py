"""A client for what wrk cannot do: each request once, many at the same time; and WebSockets."""

import base64
import json
import os
import selectors
import socket
import statistics
import time
from urllib.parse import urlsplit

from machine import Failed


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    connection = socket.create_connection((parts.hostname, parts.port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def post(address: str, token: str, query: str) -> bytes:
    """A GraphQL request as it is sent."""
    body = json.dumps({"query": query})
    head = f"POST /graphql HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def get(address: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n\r\n".encode()


def all_at_once(
    address: str, requests: list[bytes], connections: int, status: int = 200
) -> tuple[float, list[float]]:
    """Sends each request once, over so many connections. Returns how long all took, and how long each: seconds."""
    waiting, times = list(reversed(requests)), []
    selector = selectors.DefaultSelector()
    sockets = [connect(address) for _ in range(min(connections, len(requests)))]
    begun = time.perf_counter()
    for connection in sockets:
        connection.sendall(waiting.pop())
        selector.register(connection, selectors.EVENT_READ, [b"", time.perf_counter()])
    open_sockets = len(sockets)
    while open_sockets:
        for key, _ in selector.select(30) or [(None, 0)]:
            if key is None:
                raise Failed(f"{address} did not answer within 30 s")
            state, connection = key.data, key.fileobj
            read = connection.recv(65_536)
            state[0] += read
            head, end, body = state[0].partition(b"\r\n\r\n")
            if read and (not end or len(body) < content_length(head)):
                continue
            if not head.startswith(b"HTTP/1.1 %d" % status) or (status == 200 and b'"errors"' in body):
                raise Failed(f"{address} answered {state[0][:400]!r}")
            times.append(time.perf_counter() - state[1])
            if waiting:
                connection.sendall(waiting.pop())
                key.data[:] = [b"", time.perf_counter()]
            else:
                selector.unregister(connection)
                connection.close()
                open_sockets -= 1
    return time.perf_counter() - begun, times


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def subscribe(address: str, token: str, query: str) -> socket.socket:
    """A WebSocket with one subscription. Its key is fixed: only caches between need another."""
    connection = connect(address)
    key = base64.b64encode(bytes(16)).decode()
    head = f"GET /graphql HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    protocol = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
    connection.sendall(f"{head}{protocol}Sec-WebSocket-Key: {key}\r\n\r\n".encode())
    expect(connection, b"101")
    connection.sendall(frame({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
    expect(connection, b"connection_ack")
    connection.sendall(frame({"id": "1", "type": "subscribe", "payload": {"query": query}}))
    return connection


def expect(connection: socket.socket, part: bytes) -> None:
    read = connection.recv(4096)
    if part not in read:
        raise Failed(f"{part.decode()} was expected of the WebSocket, not {read[:200]!r}")


def frame(message: object) -> bytes:
    """A masked text frame."""
    text, mask = json.dumps(message).encode(), os.urandom(4)
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0xFE]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
