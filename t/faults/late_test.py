"""A Redis that answers late: what has changed meanwhile counts."""

import collections
import datetime
import json
import threading
import time
import unittest

from harness import ACCOUNT, API, Case, KEYS, eventually
from proxy import Cut

# seconds: longer than what is held back here
PATIENCE = 6


class Late(Case):
    def begin(self, **values):
        self.nginx = self.new_nginx(self.behind_proxy, timeout=f'{PATIENCE}s', **values)

    def hold(self, seconds, cut=False):
        """Each HMGET; answers a list of those."""
        held = []

        def fault(exchange):
            reply = exchange.ask()
            if exchange.words[0] == b'HMGET':
                held.append(exchange.words[1])
                time.sleep(seconds)
                if cut:
                    raise Cut
            exchange.send(reply)
        self.proxy.fault = fault
        return held

    def in_background(self, count, ask):
        """Answers what `ask` did, once it is called."""
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)]
        for thread in threads:
            thread.start()

        def join():
            for thread in threads:
                thread.join()
            return answers
        return join

    def revoke(self, id):
        """As another nginx does it."""
        self.redis('HSET', f'{KEYS}token:{id}', 'status', 'revoked')
        self.assertGreater(self.redis('PUBLISH', 'api_token:changes', id), 0)

    def test_stale(self):
        """Neither what was revoked, nor what expired, while Redis was asked of it in vain."""
        self.begin(cache='api_token_cache zone=tokens:1m valid=1s stale=60s;', workers=1)
        eventually(lambda: self.redis.listeners() == 1, 'it listens')
        id, token = self.nginx.new_token()
        other = self.nginx.new_token()[1]
        end = int(time.time()) + 8
        fields = {'token_scope': 'account', 'account_id': ACCOUNT,
                  'expires_at': datetime.datetime.fromtimestamp(end, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')}
        short = self.nginx.ask('POST', API, body=json.dumps(fields)).json()['token']
        self.assertEqual([self.nginx.check(each).status for each in (token, other, short)], [200] * 3)
        time.sleep(end - time.time() - 2)
        held = self.hold(3, cut=True)
        asked = [self.in_background(1, lambda each=each: self.nginx.check(each)) for each in (token, other, short)]
        eventually(lambda: held, 'Redis is asked')
        time.sleep(0.1)
        self.revoke(id)
        statuses = [join()[0].status for join in asked]
        self.assertEqual(statuses, [503, 200, 503], 'revoked, known as active, expired')

    def test_older_question(self):
        """Who comes behind a revocation is not answered by a question from before it, in no worker."""
        self.begin(workers=6, http='add_header X-Worker $pid always;')
        eventually(lambda: self.redis.listeners() == 4, 'four workers listen')
        id, token = self.nginx.new_token()
        held = self.hold(1)
        before = self.in_background(60, lambda: self.nginx.check(token))
        eventually(lambda: held, 'Redis is asked')
        time.sleep(0.2)
        self.revoke(id)
        time.sleep(0.2)
        behind = self.in_background(60, lambda: self.nginx.check(token))()
        self.assertEqual([answer for answer in behind if answer.status == 200], [])
        workers = {answer.headers['X-Worker'] for answer in before()}
        self.assertGreater(len(workers), 4, 'some of those do not listen')

    def test_without_cache(self):
        """Each check asks; the use is written once."""
        self.begin(cache='', workers=1, last_used='60s')
        id, token = self.nginx.new_token()
        seen = collections.Counter()

        def fault(exchange):
            reply = exchange.ask()
            seen[exchange.words[0]] += 1
            if seen[b'HMGET'] == 1:
                time.sleep(0.5)
            exchange.send(reply)
        self.proxy.fault = fault
        answers = self.in_background(50, lambda: self.nginx.check(token))()
        self.assertEqual(collections.Counter(answer.status for answer in answers), {200: 50})
        eventually(lambda: self.redis('HGET', f'{KEYS}token:{id}', 'last_used_at'), 'written')
        time.sleep(0.3)
        self.assertEqual(seen[b'HMGET'], 50)
        self.assertLessEqual(seen[b'EVALSHA'] + seen[b'EVAL'], 3, 'its script may be new to Redis, and a second begin')


if __name__ == '__main__':
    unittest.main(verbosity=2)
