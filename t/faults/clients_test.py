"""Clients that leave in mid-body and in mid-wait, and clients that send a byte at a time."""

import http.client
import socket
import struct
import threading
import time
import unittest

from harness import ACCOUNT, API, Case, MARGIN, TIMEOUT, eventually, idle_descriptors
from load import Load
from proxy import pass_on

CREATE = b'{"token_scope": "account"}'


def request(method, path, body=b'', token='', length=None):
    head = f'{method} {path} HTTP/1.1\r\nHost: localhost\r\n'
    head += f'Authorization: Bearer {token}\r\n' if token else ''
    if body:
        head += f'Content-Type: application/json\r\nContent-Length: {length or len(body)}\r\n'
    return head.encode() + b'\r\n' + body


def read_answer(stream):
    status = int(stream.readline().split()[1])
    headers = http.client.parse_headers(stream)
    return status, stream.read(int(headers['Content-Length']))


class Clients(Case):
    def setUp(self):
        super().setUp()
        self.begin('nginx')

    def begin(self, name, **values):
        self.nginx = self.start_nginx(self.behind_proxy, name, **values)
        self.load = Load(self.nginx)
        self.token_id, self.token = self.load.new_token()
        self.load.check()
        self.before = idle_descriptors(self.nginx)

    def connect(self):
        client = socket.create_connection(('127.0.0.1', self.nginx.port), timeout=15)
        self.addCleanup(client.close)
        return client

    def leave(self, client, by_reset):
        if by_reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.close()

    def count_left(self):
        return self.nginx.log().count('prematurely closed connection')

    def is_as_before(self):
        eventually(lambda: idle_descriptors(self.nginx) == self.before, 'descriptors as before')
        for _ in range(10):
            self.assertEqual(self.load.create().status, 200)
            self.assertEqual(self.nginx.check(self.token).status, 200)

    def test_leave_in_mid_body(self):
        revoke = f'{API}/{self.token_id}/revoke'
        for number in range(200):
            client = self.connect()
            client.sendall(request('POST', API if number % 3 else revoke, CREATE[:number % 26 + 1], length=len(CREATE) + 10))
            if number % 4 == 0:
                client.sendall(b'x')
            self.leave(client, number % 2)
        self.is_as_before()
        self.tell(f'200 clients left, {self.count_left()} seen in mid-body')
        self.assertGreater(self.count_left(), 20)
        self.load.verify(self, self.redis)

    def test_byte_by_byte(self):
        other, _ = self.load.new_token()
        cases = [(request('POST', API, CREATE), 200, b'"token"'), (request('GET', '/in', token=self.token), 200, b'in'),
                 (request('GET', f'{API}/{self.token_id}'), 200, self.token_id.encode()),
                 (request('POST', f'{API}/{other}/suspend', b'{}'), 200, b'"suspended"'),
                 (request('POST', API, b'{"token_scope": 1}'), 422, b'validation_errors'),
                 (request('GET', '/in', token='x' * 300), 401, b'bad_authtoken')]
        answers = {}

        def send(number):
            client = self.connect()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in cases[number][0]:
                client.sendall(bytes([byte]))
                time.sleep(0.001)
            answers[number] = read_answer(client.makefile('rb'))
        threads = [threading.Thread(target=send, args=[number]) for number in range(len(cases))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, (_, status, text) in enumerate(cases):
            self.assertEqual(answers[number][0], status)
            self.assertIn(text, answers[number][1])

    def test_leave_a_pipeline(self):
        for number in range(20):
            client = self.connect()
            client.sendall(request('POST', API, CREATE) * 10 + request('GET', '/in', token=self.token) * 10)
            stream = client.makefile('rb')
            for _ in range(number % 5):
                self.assertEqual(read_answer(stream)[0], 200)
            stream.close()
            self.leave(client, number % 2)
        self.is_as_before()

    def leave_in_mid_wait(self, held_for):
        """Some leave, and one of each kind stays, while replies are held back."""
        gate, (id, token), (other, _) = threading.Event(), self.load.new_token(), self.load.new_token()

        def hold(exchange):
            reply = exchange.ask()
            gate.wait()
            exchange.send(reply)
        self.proxy.fault = hold
        requests = [request('POST', API, CREATE), request('GET', '/in', token=token), request('GET', API),
                    request('GET', f'{API}/{id}'), request('POST', f'{API}/{other}/suspend')]
        clients = [self.connect() for _ in range(30)]
        for number, client in enumerate(clients):
            client.sendall(requests[number % 5])
        time.sleep(0.1)
        for number, client in enumerate(clients[5:]):
            self.leave(client, number % 2)
        time.sleep(held_for)
        gate.set()
        self.proxy.fault = pass_on
        answers = [read_answer(client.makefile('rb')) for client in clients[:5]]
        for client in clients[:5]:
            client.close()
        return answers

    def test_leave_in_mid_wait(self):
        self.begin('patient', timeout='5s')
        for _ in range(8):
            answers = self.leave_in_mid_wait(0.1)
            for (status, body), text in zip(answers, [ACCOUNT, 'in', '"pagination"', '"active"']):
                self.assertEqual(status, 200)
                self.assertIn(text.encode(), body)
            self.assertIn(answers[4][0], [200, 409])
        self.tell(f'8 times 25 clients left, of 5 with a check each {self.count_left()} were seen to')
        self.assertGreater(self.count_left(), 20)
        self.is_as_before()
        self.assertLess(self.load.acknowledged, set(self.redis.stored()))

    def test_leave_in_mid_wait_for_nothing(self):
        """Replies come later than the timeout."""
        for _ in range(3):
            for status, _ in self.leave_in_mid_wait(TIMEOUT + 0.2):
                self.assertEqual(status, 503)
            eventually(lambda: self.load.create().status == 200, 'served again', 1.2 + MARGIN)
        self.assertGreater(self.count_left(), 5)


if __name__ == '__main__':
    unittest.main(verbosity=2)
