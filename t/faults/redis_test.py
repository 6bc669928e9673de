"""Redis dies, stops, comes back empty, is slow, or says that it cannot serve now, under load."""

import signal
import threading
import time
import unittest

from harness import ACCOUNT, API, Case, KEYS, MARGIN, eventually
from load import RECONNECTED, Load


class Faults(Case):
    redis_options = ('--save', '', '--appendonly', 'yes', '--appendfsync', 'always')

    def setUp(self):
        super().setUp()
        self.nginx = self.start_nginx()

    def is_unavailable(self, answer):
        self.assertEqual((answer.status, answer.headers.get('Retry-After')), (503, '1'))
        self.assertEqual(answer.json()['code'], 'unexpected')

    def has_logged(self, text):
        eventually(lambda: text in self.nginx.log(), f'the log has {text}')


class Process(Faults):
    def test_killed(self):
        with Load(self.nginx, may_be_away=True) as load:
            _, token = load.new_token()
            for _ in range(3):
                time.sleep(0.5)
                self.assertEqual(self.nginx.check(token).status, 200)
                self.redis.end(signal.SIGKILL)
                known_for = eventually(lambda: self.nginx.check(token).status == 503, 'noticed', 1 + MARGIN)
                for _ in range(20):
                    self.is_unavailable(self.nginx.check(token))
                    self.is_unavailable(load.create())
                self.redis.start()
                served_after = load.until_created(200)
                self.tell(f'noticed after {known_for:.2f} s, served again {served_after:.2f} s after the start')
        load.verify(self, self.redis)

    def test_stopped(self):
        with Load(self.nginx, may_be_away=True) as load:
            _, token = load.new_token()
            self.assertEqual(self.nginx.check(token).status, 200)
            time.sleep(0.5)
            self.redis.process.send_signal(signal.SIGSTOP)
            time.sleep(1.3)
            end = time.monotonic() + load.longest
            while time.monotonic() < end:
                self.is_unavailable(self.nginx.check(token))
            self.redis.process.send_signal(signal.SIGCONT)
            self.tell(f'served {load.until_created(200):.2f} s after it went on')
            time.sleep(0.5)
        load.verify(self, self.redis)

    def test_restarted_empty(self):
        known, revoked = self.nginx.new_token(), self.nginx.new_token()
        self.assertEqual(self.nginx.act(revoked[0], 'revoke').status, 200)
        for _ in range(4):
            self.assertEqual(self.nginx.check(known[1]).status, 200)
        self.redis.end(signal.SIGKILL)
        self.redis.options = ('--save', '', '--appendonly', 'no')
        self.redis.start()
        for _, token in known, revoked:
            eventually(lambda: self.nginx.check(token).status == 401, 'refused', RECONNECTED)
        for _ in range(20):
            self.assertIn(self.nginx.check(known[1]).status, [401, 503])
        load = Load(self.nginx, may_be_away=True)
        load.until_created(200)
        load.verify(self, self.redis)

    def test_slow(self):
        with Load(self.nginx, may_be_away=True) as load:
            time.sleep(0.3)
            self.redis('CLIENT', 'PAUSE', 100, 'ALL')
            self.assertEqual(load.create().status, 200)
            self.assertGreater(load.slowest, 0.05)
            self.redis('CLIENT', 'PAUSE', 1000, 'ALL')
            load.until_created(503)
            time.sleep(1)
            load.until_created(200)
        load.verify(self, self.redis)
        self.has_logged('it does not answer in time')

    def test_loading(self):
        """A Redis that needs two seconds to read its data."""
        with Load(self.nginx, may_be_away=True) as load:
            time.sleep(1)
            self.redis('EVAL', "for i = 1, 2000 do redis.call('SET', 'ballast:' .. i, i) end", 0)
            self.redis.end(signal.SIGTERM)
            self.redis.options += ('--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024')
            self.redis.start(wait=False)
            self.has_logged('answered: LOADING')
            eventually(self.redis.is_up, 'Redis has read its data')
            load.until_created(200)
        load.verify(self, self.redis)


class Answers(Faults):
    """Errors of a real Redis."""

    def under_load(self, word, begin, end):
        with Load(self.nginx, may_be_away=True) as load:
            for _ in range(2):
                time.sleep(0.3)
                begin()
                load.until_created(503)
                self.has_logged(f'answered: {word}')
                time.sleep(0.3)
                self.is_unavailable(load.create())
                end()
                load.until_created(200)
        load.verify(self, self.redis)

    def test_oom(self):
        self.under_load('OOM', lambda: self.redis('CONFIG', 'SET', 'maxmemory', 1),
                        lambda: self.redis('CONFIG', 'SET', 'maxmemory', 0))

    def test_readonly(self):
        self.under_load('READONLY', lambda: self.redis('REPLICAOF', '127.0.0.1', 1),
                        lambda: self.redis('REPLICAOF', 'NO', 'ONE'))

    def test_noauth(self):
        self.under_load(
            'ERR Protocol error: unauthenticated',
            lambda: self.redis.all([('CONFIG', 'SET', 'requirepass', 'x'), ('CLIENT', 'KILL', 'TYPE', 'normal')]),
            lambda: self.redis.all([('AUTH', 'x'), ('CONFIG', 'SET', 'requirepass', '')]))

    def test_busy(self):
        self.redis('CONFIG', 'SET', 'busy-reply-threshold', 50)

        def begin():
            threading.Thread(target=self.redis, args=['EVAL', 'while true do end', 0], daemon=True).start()
        self.under_load('BUSY', begin, lambda: self.redis('SCRIPT', 'KILL'))

    def test_noscript(self):
        with Load(self.nginx) as load:
            end, flushes = time.monotonic() + 3, 0
            while time.monotonic() < end:
                self.redis('SCRIPT', 'FLUSH')
                flushes += 1
                time.sleep(0.005)
        errors = self.redis('INFO', 'errorstats').decode()
        self.tell(f'{flushes} flushes; {errors.split()[-1]}')
        self.assertIn('errorstat_NOSCRIPT', errors)
        load.verify(self, self.redis)

    def test_wrong_types(self):
        """A key of another type where a record, a set or an idempotency key would be."""
        load = Load(self.nginx)
        (planted, token), (_, other) = load.new_token(), load.new_token()
        self.assertEqual(self.nginx.check(other).status, 200)
        key, order = f'{KEYS}token:{planted}', f'{KEYS}account:{ACCOUNT}:inserted_at'
        self.redis.all([('RENAME', key, 'kept'), ('SET', key, 'x')])
        paths = [('GET', '/in', token), ('GET', f'{API}/{planted}', None), ('GET', API, None),
                 *(('POST', f'{API}/{planted}/{action}', None) for action in ('suspend', 'activate', 'revoke')),
                 ('DELETE', f'{API}/{planted}', None)]
        for method, path, with_token in paths:
            self.assertEqual(self.nginx.ask(method, path, with_token).status, 500, path)
        self.assertEqual(self.nginx.check(other).status, 200)
        self.redis.all([('RENAME', 'kept', key), ('RENAME', order, 'kept'), ('SET', order, 'x')])
        for answer in self.nginx.create(), self.nginx.create('again'), self.nginx.ask('GET', API):
            self.assertEqual(answer.status, 500)
        self.assertEqual(self.nginx.check(token).status, 200)
        self.redis('RENAME', 'kept', order)
        self.assertEqual(self.nginx.ask('GET', API).json()['pagination']['item_count'], 2)
        load.acknowledged.add(self.nginx.create('again').json()['details']['id'])
        key = self.redis('KEYS', KEYS + 'idempotency:*')[0]
        self.redis.all([('RENAME', key, 'kept'), ('LPUSH', key, 'x')])
        self.assertEqual(self.nginx.create('again').status, 500)
        load.verify(self, self.redis)
        self.has_logged('WRONGTYPE')


if __name__ == '__main__':
    unittest.main(verbosity=2)
