"""Between nginx and Redis: passes on what they say, or what a test makes of it."""

import contextlib
import socket
import threading
import typing


def read_reply(stream):
    """A reply or a command of RESP: its bytes, and its value."""
    line = stream.readline()
    if not line.endswith(b'\r\n'):
        raise EOFError
    kind, text = line[:1], line[1:-2]
    if kind == b'$' and text != b'-1':
        rest = stream.read(int(text) + 2)
        return line + rest, rest[:-2]
    if kind == b'*':
        parts = [read_reply(stream) for _ in range(int(text))]
        return line + b''.join(wire for wire, _ in parts), [value for _, value in parts]
    if kind == b'-':
        return line, RuntimeError(text.decode())
    return line, int(text) if kind == b':' else None if kind == b'$' else text


class Cut(Exception):
    """Ends the connection."""


class Exchange(typing.NamedTuple):
    """A command of nginx that waits for its reply."""
    words: list
    ask: typing.Callable    # has Redis answer it
    send: typing.Callable   # to nginx


def pass_on(exchange):
    exchange.send(exchange.ask())


def hear_all(subscriber, data):
    return data


class Proxy:
    """`fault` serves nginx's commands, one at a time; `hear` is given what a subscriber is told, and answers what it hears;
    `admit` is told of each command first."""

    def __init__(self, redis, listener):
        self.redis, self.listener = redis, listener
        self.fault, self.hear, self.admit = pass_on, hear_all, lambda words: None
        self.clients, self.subscribers = set(), set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        self.clients.add(client)
        with contextlib.suppress(OSError, EOFError, ValueError, Cut), socket.socket(socket.AF_UNIX) as redis:
            redis.connect(self.redis.socket)
            self.answer(client, redis)
        self.clients.discard(client)
        self.subscribers.discard(client)
        self.close(client)

    def answer(self, client, redis):
        commands, replies = client.makefile('rb'), redis.makefile('rb')
        while True:
            wire, words = read_reply(commands)
            self.admit(words)

            def ask():
                redis.sendall(wire)
                return read_reply(replies)[0]
            if words[0] == b'SUBSCRIBE':
                return self.subscribe(client, redis, wire)
            self.fault(Exchange(words, ask, client.sendall))

    def subscribe(self, client, redis, wire):
        self.clients.discard(client)
        self.subscribers.add(client)
        redis.sendall(wire)
        threading.Thread(target=self.pump, args=[client, redis, lambda data: data], daemon=True).start()
        self.pump(redis, client, lambda data: self.hear(client, data))

    @staticmethod
    def pump(source, target, change):
        with contextlib.suppress(OSError, EOFError):
            while data := source.recv(65536):
                target.sendall(change(data))
        Proxy.close(target)

    @staticmethod
    def close(connection):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def shout(self, data, connections):
        """What nobody asked for."""
        for connection in list(connections):
            with contextlib.suppress(OSError):
                connection.sendall(data)

    def end(self):
        self.close(self.listener)
        for connection in self.clients | self.subscribers:
            self.close(connection)
