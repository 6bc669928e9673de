"""What the tests of clusters and of sentinels have in common."""

import os
import pathlib
import tempfile

from harness import Case, eventually
from load import HEARD, Load

# seconds in which requests may be refused yet when all is whole again
AFTER = 2
# of nginx, a third of which a busy machine's replica has for confirming a change
PATIENCE = 1.5


class Failover(Case):
    """Two instances under load, whose changes wait for a replica."""

    servers = None

    def start_redis(self):
        # nodes wait for the disk whenever a slot moves, and a busy one takes longer than nginx waits
        memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix='api-token-', dir=memory))
        self.redis = self.servers(pathlib.Path(folder))
        self.addCleanup(self.redis.end)
        self.redis.start()

    def start_instances(self, accounts):
        values = {'account': 'any', 'timeout': f'{int(1000 * PATIENCE)}ms'}
        here, there = self.instances = [self.start_nginx(self.redis.url + ' wait=1', name, **values) for name in ('here', 'there')]
        self.load = Load(here, may_be_away=True, others=[there], accounts=accounts)

    def remembered(self, nginx, account):
        """A token that is let in there without a question, since Redis has it as suspended."""
        tokens = []

        def is_remembered():
            id, token = self.load.new_token(account)
            tokens.append((id, token))
            self.load.doubtful.add(id)
            self.assertEqual(nginx.check(token).status, 200)
            self.redis.home_of(id)('HSET', f'api_token:{{{id[10:16]}}}:token:{id}', 'status', 'suspended')
            return nginx.check(token).status == 200
        eventually(is_remembered, 'a check does not ask')
        return tokens[-1]

    def are_heard(self, when, accounts):
        """Revocations at one instance, by the other."""
        longest = 0
        for account in accounts:
            for here, there in self.instances, self.instances[::-1]:
                id, token = self.remembered(there, account)
                self.assertEqual(here.act(id, 'revoke').status, 200)
                longest = max(longest, eventually(lambda: there.check(token).status == 401, 'heard', HEARD))
                self.load.done.add(id)
        self.tell(f'{when}: revocations heard within {longest:.3f} s')

    def refused(self, what, allowed):
        """Since the last time: nothing that is not allowed."""
        refusals, self.load.refusals = self.load.refusals, []
        wrong = [refusal for refusal in refusals if not allowed(refusal)]
        self.assertEqual(wrong[:5], [], f'{what}: {len(wrong)} of {len(refusals)} refusals')
        return refusals

    def none_refused(self, what):
        self.refused(what, lambda refusal: False)

    def verify(self):
        self.none_refused('at the end')
        self.load.may_be_away = False
        self.load.verify(self, self.redis)
