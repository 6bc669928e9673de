"""Requests at a steady rate, and whether what they are answered agrees with what was answered before."""

import collections
import os
import random
import threading
import time
import typing
import uuid

from harness import ACCOUNT, MARGIN, TIMEOUT, eventually

RATE = int(os.environ.get('FAULTS_RATE', 200))
# a pause before nginx connects again is up to 1.2 s long
RECONNECTED = 1.2 + MARGIN
# seconds until all instances know of a revocation at one of them
HEARD = 0.5 + MARGIN


class Refusal(typing.NamedTuple):
    """That Redis is away."""
    at: float
    what: str
    partition: str
    is_unconfirmed: bool


class Load:
    """Creates, checks and revokes at any of the instances. While `may_be_away`, Redis may be away."""

    def __init__(self, nginx, rate=RATE, threads=8, may_be_away=False, others=(), accounts=(ACCOUNT,)):
        self.instances, self.accounts = [nginx, *others], accounts
        self.rate, self.may_be_away = rate, may_be_away
        # what a request may take: a script that Redis does not know is asked for twice
        self.longest = 2 * TIMEOUT + MARGIN
        self.statuses, self.wrong, self.slowest, self.refusals = collections.Counter(), [], 0, []
        self.may_be_lost = 0
        # (id, token): acknowledged, and no revocation of it was sent
        self.active, self.revoked, self.acknowledged = [], [], set()
        # ids whose revocation was sent; was acknowledged; may have been done
        self.revoking, self.done, self.doubtful = set(), set(), set()
        # where a revocation was acknowledged, and when
        self.revoked_at = {}
        # with their accounts
        self.unanswered_keys = []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=[threads / rate], daemon=True) for _ in range(threads)]

    @property
    def nginx(self):
        return random.choice(self.instances)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, pause):
        next_at = time.monotonic() + random.random() * pause
        while not self.stopping.is_set():
            try:
                random.choices([self.create, self.check, self.revoke, self.check_revoked], [3, 10, 1, 3])[0]()
            except Exception as fault:
                self.wrong.append(repr(fault))
            next_at = max(next_at + pause, time.monotonic() - 1)
            self.stopping.wait(max(0, next_at - time.monotonic()))

    def note(self, what, answer, wanted, id):
        """Whether it is the answer that is wanted, of a token or account; any other than that Redis is away is wrong."""
        with self.lock:
            self.statuses[f'{what} {answer.status}'] += 1
            self.slowest = max(self.slowest, answer.seconds)
            lost = answer.status == 0
            self.may_be_lost -= lost
            away = answer.status == 503 and self.may_be_away and answer.headers.get('Retry-After') == '1'
            if away:
                self.refusals.append(Refusal(time.monotonic(), what, id[10:16], b'too few replicas' in answer.content))
            if answer.seconds > self.longest:
                self.wrong.append(f'{what}: {answer.status} after {answer.seconds:.2f} s')
            if answer.status not in wanted and not away and not (lost and self.may_be_lost >= 0):
                self.wrong.append(f'{what}: {answer.status} {answer.content[:200]}')
        return answer.status in wanted

    def next_key(self):
        """A create that is not answered is repeated, so that what is stored is what was acknowledged; new ones go on."""
        with self.lock:
            if self.unanswered_keys and random.random() < 0.5:
                return self.unanswered_keys.pop(random.randrange(len(self.unanswered_keys)))
        return uuid.uuid4().hex, random.choice(self.accounts)

    def create(self, account=None):
        key, account = (uuid.uuid4().hex, account) if account else self.next_key()
        answer = self.nginx.create(key, account)
        if not self.note('create', answer, [200], account):
            self.unanswered_keys.append((key, account))
            return answer
        details, token = answer.json()['details'], answer.json()['token']
        if details['account_id'] != account or details['status'] != 'active':
            self.wrong.append(f'create: {details}')
        self.acknowledged.add(details['id'])
        self.active.append((details['id'], token))
        return answer

    def until_created(self, status):
        """Creates until that is the answer, and answers how long that took."""
        return eventually(lambda: self.create().status == status, f'a create is answered {status}', RECONNECTED)

    def new_token(self, account=ACCOUNT):
        """One that the load leaves alone."""
        id, token = self.nginx.new_token(account)
        self.acknowledged.add(id)
        return id, token

    def check(self):
        if not self.active:
            return
        id, token = random.choice(self.active)
        answer = self.nginx.check(token)
        self.note('check', answer, [200, 401] if id in self.revoking else [200], id)

    def revoke(self):
        with self.lock:
            if len(self.active) < 20:
                return
            place = random.randrange(len(self.active))
            self.active[place], self.active[-1] = self.active[-1], self.active[place]
            id, token = self.active.pop()
            self.revoking.add(id)
        nginx = self.nginx
        if self.note('revoke', nginx.act(id, 'revoke'), [200], id):
            self.done.add(id)
            self.revoked_at[id] = nginx, time.monotonic()
            self.revoked.append((id, token))
        else:
            self.doubtful.add(id)

    def check_revoked(self):
        if not self.revoked:
            return
        id, token = random.choice(self.revoked)
        nginx, (where, when) = self.nginx, self.revoked_at[id]
        is_known = nginx is where or time.monotonic() > when + HEARD
        self.note('check of a revoked one', nginx.check(token), [401] if is_known else [200, 401], id)

    def settle(self):
        """Repeats the creates that were not answered, while nothing else goes on."""
        while self.unanswered_keys:
            eventually(lambda: self.create().status == 200, 'a create that was not answered', RECONNECTED)

    def verify(self, case, redis):
        """What was answered against what is stored."""
        self.settle()
        stored = redis.stored()
        case.tell(f'{dict(sorted(self.statuses.items()))}, slowest {self.slowest:.2f} s, '
                  f'{len(self.acknowledged)} acknowledged, {len(stored)} stored, {len(self.done)} revoked')
        case.assertEqual(self.wrong[:10], [], f'{len(self.wrong)} wrong answers')
        case.assertEqual(set(stored), self.acknowledged)
        for order in ('inserted_at', 'expires_at'):
            case.assertEqual(redis.order(order), self.acknowledged, order)
        for id, status in stored.items():
            if id not in self.doubtful:
                case.assertEqual(status, 'revoked' if id in self.done else 'active', id)
        for id, token in (self.active + self.revoked)[-1000:]:
            status = 401 if id in self.done else 200
            for nginx in self.instances:
                if not self.may_be_away:
                    case.assertEqual(nginx.check(token).status, status, id)
                eventually(lambda: nginx.check(token).status == status, f'{id} is answered {status}', RECONNECTED)
