"""Keys that change, reload by reload, under load.

FAULTS_RELOADS (20) and FAULTS_RATE (200 requests each second) make it longer."""

import base64
import itertools
import json
import os
import random
import time
import unittest

from harness import GROWTH, Case, anonymous_memory, new_key
from load import Load

RELOADS = int(os.environ.get('FAULTS_RELOADS', 20))


def kid(token):
    header = token.split('.')[0]
    return json.loads(base64.urlsafe_b64decode(header + '=' * (-len(header) % 4)))['kid']


class KeyLoad(Load):
    """A token is as its key: `valid`, `dead`, and either while a reload takes the key out."""

    def __init__(self, nginx):
        super().__init__(nginx)
        self.keys, self.dead = {'first': 'valid'}, []

    def check(self):
        tokens = self.dead if self.dead and random.random() < 0.3 else self.active
        if not tokens:
            return
        id, token = random.choice(tokens)
        name = kid(token)
        before = self.keys[name]
        answer = self.nginx.check(token)
        after = self.keys[name]
        if id in self.revoking:
            before = after = 'any'
        wanted = {('valid', 'valid'): [200], ('dead', 'dead'): [401]}.get((before, after), [200, 401])
        self.note(f'check of a {before} one', answer, wanted, id)

    def bury(self, name):
        """The tokens of a key that is taken out."""
        self.keys[name] = 'dead'
        with self.lock:
            self.dead = (self.dead + [one for one in self.active if kid(one[1]) == name])[-500:]
            self.active = [one for one in self.active if kid(one[1]) != name]
            self.revoked = [one for one in self.revoked if kid(one[1]) != name]


class Rotation(Case):
    def setUp(self):
        super().setUp()
        self.nginx = self.start_nginx()

    def reload(self, *keys):
        self.nginx.configure(keys)
        return self.nginx.reload()

    def known_token(self):
        """One that the cache knows."""
        id, token = self.nginx.new_token()
        for _ in range(6):
            self.assertEqual(self.nginx.check(token).status, 200)
        return token

    def test_one_by_one(self):
        new = new_key('second')
        old_token = self.known_token()
        self.reload(new, self.key)
        new_token = self.known_token()
        self.assertEqual((kid(old_token), kid(new_token)), ('first', 'second'))
        self.assertEqual(self.nginx.check(old_token).status, 200)
        self.reload(new)
        for _ in range(6):
            self.assertEqual(self.nginx.check(old_token).status, 401)
            self.assertEqual(self.nginx.check(new_token).status, 200)
        self.reload(new, self.key)
        self.assertEqual(self.nginx.check(old_token).status, 200)

    def test_same_kid(self):
        token = self.known_token()
        self.reload(new_key('first'))
        for _ in range(6):
            self.assertEqual(self.nginx.check(token).status, 401)
        other = self.known_token()
        self.reload(self.key)
        for _ in range(6):
            self.assertEqual((self.nginx.check(token).status, self.nginx.check(other).status), (200, 401))

    def test_under_load(self):
        """A key is added behind the first, signs after the next reload, and the one before it goes with the third."""
        memory, old, new = [], ('first', self.key), None
        names = (f'key {number}' for number in itertools.count(2))
        with KeyLoad(self.nginx) as load:
            for number in range(RELOADS):
                time.sleep(0.25)
                if number % 3 == 0:
                    name = next(names)
                    new = (name, new_key(name))
                    self.reload(old[1], new[1])
                    load.keys[name] = 'valid'
                elif number % 3 == 1:
                    self.reload(new[1], old[1])
                else:
                    load.keys[old[0]] = 'leaving'
                    self.reload(new[1])
                    load.bury(old[0])
                    old = new
                memory.append(anonymous_memory(self.nginx.process.pid))
        self.tell(f'{RELOADS} reloads; the master\'s anonymous memory {memory[0]} to {memory[-1]} KiB, at most {max(memory)}')
        self.assertGreater(load.statuses['check of a dead one 401'], RELOADS)
        for name, state in load.keys.items():
            if state == 'dead':
                load.bury(name)
        load.verify(self, self.redis)
        # the first reloads fill the allocator's arenas
        self.assertLess(max(memory[5:]) - max(memory[:5]), GROWTH)


if __name__ == '__main__':
    unittest.main(verbosity=2)
