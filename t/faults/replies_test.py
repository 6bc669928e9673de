"""A connection to Redis that delays, cuts, spoils or invents what comes over it, under load."""

import socket
import time
import unittest

from harness import ACCOUNT, API, Case, MARGIN, TIMEOUT, eventually
from load import RECONNECTED, Load
from proxy import Cut, hear_all, pass_on

# seconds: of a message to come through, and of a silence to be noticed
HEARD, SILENCE = 0.5, 1 + MARGIN
ERRORS = ['LOADING Redis is loading the dataset in memory', 'OOM command not allowed', 'READONLY read only replica',
          'BUSY Redis is busy', 'NOAUTH Authentication required.', 'MASTERDOWN Link with MASTER is down',
          'CLUSTERDOWN The cluster is down', 'MISCONF Errors writing to the AOF file']


def error(text):
    return lambda exchange: exchange.send(f'-{text}\r\n'.encode())


def cut(exchange):
    raise Cut


def cut_behind(exchange):
    """Redis has done it."""
    exchange.ask()
    raise Cut


def half(exchange):
    """And then nothing: what came behind it might be taken for the other half."""
    reply = exchange.ask()
    exchange.send(reply[:len(reply) // 2])
    time.sleep(TIMEOUT + 0.3)
    raise Cut


def half_and_cut(exchange):
    reply = exchange.ask()
    exchange.send(reply[:len(reply) // 2])
    raise Cut


def byte_by_byte(exchange):
    for byte in exchange.ask():
        exchange.send(bytes([byte]))


def garbage(exchange):
    exchange.send(b'\x00\xff garbage \r\n\r\n')


def huge(exchange):
    exchange.send(b'$999999999\r\nabc')


def delay(seconds):
    def fault(exchange):
        reply = exchange.ask()
        time.sleep(seconds)
        exchange.send(reply)
    return fault


class Replies(Case):
    def setUp(self):
        super().setUp()
        self.nginx = self.start_nginx(self.behind_proxy)

    def under_load(self, faults, unavailable, rate=200):
        """Each of these for a while; whether something is answered 503 meanwhile."""
        with Load(self.nginx, rate, may_be_away=unavailable) as load:
            for name, fault in faults.items():
                before = load.statuses['create 503']
                self.proxy.fault = fault
                if unavailable:
                    load.until_created(503)
                time.sleep(0.4)
                self.proxy.fault = pass_on
                served_after = load.until_created(200)
                self.tell(f'{name}: {load.statuses["create 503"] - before} times 503, served {served_after:.2f} s later')
                time.sleep(0.1)
        load.verify(self, self.redis)

    def test_errors(self):
        self.under_load({text.split()[0]: error(text) for text in ERRORS}, True)

    def test_broken(self):
        faults = (cut, cut_behind, half, half_and_cut, garbage, huge)
        self.under_load({fault.__name__: fault for fault in faults} | {'late': delay(TIMEOUT + 0.3)}, True)

    def test_whole(self):
        self.under_load({'byte by byte': byte_by_byte, 'a little late': delay(0.01)}, False, 60)

    def test_unsolicited(self):
        """With a reply, and with nobody who waits for one. More than one command under way would be mixed up."""
        self.nginx = self.start_nginx(self.behind_proxy, 'alone', workers=1, last_used='off')
        _, token = self.nginx.new_token()
        extra = [b':1\r\n', b'+OK\r\n', b'$3\r\nabc\r\n', b'*2\r\n:1\r\n:2\r\n', b'-ERR told to nobody\r\n', b'$100\r\n', b'\x00']
        for data in extra:
            self.proxy.fault = lambda exchange: exchange.send(exchange.ask() + data)
            for _ in range(5):
                self.assertIn(self.nginx.create().status, [200, 503], data)
            self.proxy.fault = pass_on
            eventually(lambda: self.nginx.create().status == 200, 'served again', RECONNECTED)
            for _ in range(5):
                self.proxy.shout(data, self.proxy.clients)
                answer = self.nginx.ask('GET', f'{API}/{ACCOUNT}')
                self.assertIn(answer.status, [404, 503], data)
            eventually(lambda: self.nginx.create().status == 200, 'served again', RECONNECTED)
            eventually(lambda: self.nginx.check(token).status == 200, 'let in', RECONNECTED)
        self.assertIn('it sent a reply that nobody asked for', self.nginx.log())

    def test_connection_that_hangs(self):
        """Nobody accepts it: what waits is answered all the same, and it is tried again."""
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f'redis://127.0.0.1:{listener.getsockname()[1]}'
        answer = self.new_nginx(url, 'patient', connect_timeout='30s').create()
        self.assertEqual(answer.status, 503)
        self.assertLess(answer.seconds, TIMEOUT + MARGIN)
        nginx = self.new_nginx(url, 'hanging')
        with Load(nginx, may_be_away=True) as load:
            eventually(lambda: 'connecting took too long' in nginx.log(), 'it is given up')
            for filler in fillers:
                filler.close()
            self.start_proxy(listener)
            load.until_created(200)
            time.sleep(0.5)
        load.verify(self, self.redis)


class Subscription(Case):
    """Revocations by one nginx while another, over the proxy, hears nothing or nonsense."""

    def setUp(self):
        super().setUp()
        self.here, self.there = self.start_nginx(), self.start_nginx(self.behind_proxy, 'there')

    def still_let_in(self, token):
        """For how long; at least 20 refusals end it."""
        start, last, refusals = time.monotonic(), 0, 0
        while refusals < 20:
            sent = time.monotonic() - start
            answer = self.there.check(token)
            self.assertIn(answer.status, [200, 401, 503])
            last, refusals = (sent, 0) if answer.status == 200 else (last, refusals + 1)
            self.assertLess(last, SILENCE)
            time.sleep(0.01)
        return last

    def revoked(self, longest, fault, what):
        eventually(lambda: self.redis.listeners() == 4, 'all listen', RECONNECTED)
        id, token = self.here.new_token()
        for _ in range(6):
            self.assertEqual(self.there.check(token).status, 200)
        fault()
        self.assertEqual(self.here.act(id, 'revoke').status, 200)
        seconds = self.still_let_in(token)
        self.tell(f'{what}: let in for {seconds:.3f} s')
        self.assertLess(seconds, longest)
        self.proxy.hear = hear_all
        eventually(lambda: self.there.check(token).status == 401, 'known as revoked', RECONNECTED)

    def test_heard(self):
        for _ in range(3):
            self.revoked(HEARD, lambda: None, 'heard')

    def test_cut(self):
        def cut_all():
            for subscriber in list(self.proxy.subscribers):
                self.proxy.close(subscriber)
        self.revoked(HEARD, cut_all, 'cut')

    def test_silent(self):
        def silence():
            self.proxy.hear = lambda *_: b''
        self.revoked(SILENCE, silence, 'silent')

    def test_own_revocation(self):
        """It need not be heard."""
        id, token = self.here.new_token()
        for _ in range(6):
            self.assertEqual(self.there.check(token).status, 200)
        self.proxy.hear = lambda *_: b''
        self.assertEqual(self.there.act(id, 'revoke').status, 200)
        self.assertEqual(self.still_let_in(token), 0)

    def test_cut_and_silent(self):
        """One worker's subscription is cut and made again while the other's still counts, but hears nothing."""
        def fault():
            silent, lost = self.proxy.subscribers
            self.proxy.hear = lambda subscriber, data: b'' if subscriber is silent else data
            self.proxy.close(lost)
        self.revoked(SILENCE, fault, 'cut and silent')

    def test_spoiled(self):
        for data in b'\x00garbage\r\n', b'*3\r\n$7\r\nmes', b'-ERR no\r\n', b':1\r\n', b'*3\r\n:1\r\n:2\r\n:3\r\n', b'*-1\r\n':
            def spoil():
                self.proxy.hear = lambda *_: data
            self.revoked(SILENCE, spoil, data)

    def test_replaced_while_deaf(self):
        """A worker that dies, whose successor cannot listen before the token is revoked."""
        self.there.end()
        eventually(lambda: self.redis.listeners() == 2, 'nobody listens there')
        self.there = self.start_nginx(self.behind_proxy, 'alone', workers=1)
        id, token = self.here.new_token()
        for _ in range(3):
            self.assertEqual(self.there.check(token).status, 200)
        is_revoked = []
        self.proxy.admit = lambda words: eventually(lambda: is_revoked or words[0] != b'SUBSCRIBE', 'revoked')
        self.there.kill_worker()
        self.assertEqual(self.here.act(id, 'revoke').status, 200)
        is_revoked.append(True)
        eventually(lambda: self.redis.listeners() == 3, 'it listens again')
        seconds = self.still_let_in(token)
        self.tell(f'let in for {seconds:.3f} s')
        self.assertLess(seconds, HEARD)


if __name__ == '__main__':
    unittest.main(verbosity=2)
