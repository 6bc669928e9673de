"""A cluster: a slot moves and comes back, a master dies, a node is added and slots are rebalanced, under load."""

import concurrent.futures
import random
import time
import unittest

from failover import AFTER, PATIENCE, Failover
from harness import eventually
from servers import SLOTS, Cluster, slot_of


def accounts_of_masters():
    """Of each master four accounts; the first two have slots that it gives away when a master is added."""
    found = {}
    for number in range(10_000):
        account = f'013xrzp12g{number:06d}{0:016d}'
        master, place = divmod(slot_of(account) * 3, SLOTS)
        found.setdefault((master, place < SLOTS // 32), []).append(account)
    return [found[master, True][:2] + found[master, False][:2] for master in range(3)]


class Clusters(Failover):
    servers = Cluster

    def move_and_back(self, account):
        home = self.redis.home_of(account)
        other = next(node for node in self.redis.masters() if node is not home)
        tokens = [self.load.new_token(account)[1] for _ in range(100)]
        slowest = 0
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            def between():
                pool.submit(self.load.create, account)
                self.assertEqual(self.load.nginx.check(random.choice(tokens)).status, 200)
            for target in [other, home] * 3:
                begun = time.monotonic()
                self.redis.move(account, target, between)
                slowest = max(slowest, time.monotonic() - begun)
                time.sleep(0.5)
        # a create waits for the whole slot, as long as it may
        is_slow = slowest > PATIENCE / 2
        refusals = self.refused('a slot moves', lambda refusal: is_slow and refusal.partition == account[10:16])
        self.tell(f'a slot moved within {slowest:.2f} s, {len(refusals)} refused')

    def kill(self, accounts, others):
        """The master of the first ones. What changes there is not confirmed until it is back, as a replica."""
        master, begun = self.redis.home_of(accounts[0]), time.monotonic()
        master.end()
        eventually(lambda: self.redis.is_whole(without=master), 'a replica takes over', 30)
        whole = time.monotonic()
        time.sleep(AFTER + 1)
        self.are_heard('without a replica', others)
        master.start()
        home, partition = self.redis.home_of(accounts[0]), accounts[0][10:16]
        eventually(lambda: home.is_confirmed(1, 'SET', f'{{{partition}}}', ''), 'it comes back as a replica', 30)
        back = time.monotonic()
        time.sleep(AFTER)
        partitions = {account[10:16] for account in accounts}

        def allowed(refusal):
            if refusal.is_unconfirmed:
                return refusal.partition in partitions and refusal.what != 'check' and refusal.at < back + AFTER
            return refusal.at < whole + AFTER
        refusals = self.refused('a master dies', allowed)
        away = [refusal.at - begun for refusal in refusals if not refusal.is_unconfirmed]
        self.tell(f'whole {whole - begun:.2f} s after a master died: {len(away)} refused from {away[0]:.2f} to {away[-1]:.2f} s; '
                  f'a replica after {back - begun:.2f} s: {len(refusals) - len(away)} not confirmed')
        self.assertGreater(len(refusals), len(away))

    def rebalance(self):
        new, begun = self.redis.add(), time.monotonic()
        self.redis.rebalance(new, 0.2)
        self.tell(f'slots are rebalanced in {time.monotonic() - begun:.2f} s')
        return new

    def test_changes(self):
        shards = accounts_of_masters()
        accounts = sum(shards, [])
        self.start_instances(accounts)
        with self.load:
            time.sleep(1)
            self.are_heard('before', accounts)
            self.none_refused('before')
            self.move_and_back(shards[1][2])
            self.are_heard('a slot has moved', accounts)
            self.kill(shards[0], shards[1] + shards[2])
            self.are_heard('a master has died', accounts)
            new = self.rebalance()
            self.are_heard('a master was added', accounts)
        moved = [account for account in accounts if self.redis.home_of(account) is new]
        self.assertEqual(moved, sum((shard[:2] for shard in shards), []))
        self.verify()


if __name__ == '__main__':
    unittest.main(verbosity=2)
