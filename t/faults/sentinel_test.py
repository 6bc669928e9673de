"""The master dies, or pauses until another is one, in turn, under load, for FAULTS_ROUNDS (2)."""

import os
import signal
import time
import unittest

from failover import AFTER, Failover
from harness import ACCOUNT, eventually
from servers import Replicated

ROUNDS = int(os.environ.get('FAULTS_ROUNDS', 2))


def kill(server):
    server.end()


def start(server):
    """As the master that its configuration says it is, without data."""
    server.start()


def pause(server):
    server.process.send_signal(signal.SIGSTOP)


def go_on(server):
    server.process.send_signal(signal.SIGCONT)


class Sentinels(Failover):
    servers = Replicated

    def fail_over(self, what, begin, end):
        """Begins, and ends when another is a master, before any sentinel names it."""
        self.none_refused('before')
        master, begun = self.redis.home_of(ACCOUNT), time.monotonic()
        begin(master)
        others = [server for server in self.redis.servers if server is not master]
        eventually(lambda: any(server.is_master() for server in others), 'another is a master', 30)
        end(master)
        eventually(lambda: self.redis.is_whole(without=master), 'all name another, and it has a replica', 30)
        whole = time.monotonic()
        eventually(lambda: master.follows(self.redis.home_of(ACCOUNT)), 'it comes back as a replica', 60)
        back = time.monotonic()
        self.are_heard(what, [ACCOUNT])
        refusals = [refusal.at - begun for refusal in self.refused(what, lambda refusal: refusal.at < whole + AFTER)]
        self.tell(f'{what}: whole after {whole - begun:.2f} s: {len(refusals)} refused from {refusals[0]:.2f} to '
                  f'{refusals[-1]:.2f} s; a replica after {back - begun:.2f} s')

    def test_failovers(self):
        self.start_instances([ACCOUNT])
        with self.load:
            time.sleep(1)
            self.are_heard('before', [ACCOUNT])
            for number in range(ROUNDS):
                self.fail_over(*[('killed', kill, start), ('paused', pause, go_on)][number % 2])
        self.verify()


if __name__ == '__main__':
    unittest.main(verbosity=2)
