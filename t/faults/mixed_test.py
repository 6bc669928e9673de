"""All operations while Redis restarts every few seconds and nginx reloads every 15 s, for FAULTS_MINUTES (1)."""

import itertools
import os
import signal
import time
import unittest

from harness import GROWTH, Case, anonymous_memory, eventually, idle_descriptors
from load import RECONNECTED, Load

SECONDS = 60 * float(os.environ.get('FAULTS_MINUTES', 1))
RELOAD_EVERY = 15


class Mixed(Case):
    redis_options = ('--save', '', '--appendonly', 'yes', '--appendfsync', 'always')

    def memory(self):
        """Of the master, and the most that a worker has."""
        pids = [self.nginx.process.pid], self.nginx.workers()
        return [max(map(anonymous_memory, each)) for each in pids]

    def restart_redis(self, number):
        self.redis.end(number)
        time.sleep(0.3)
        self.redis.start()

    def test_restarts_and_reloads(self):
        self.nginx = self.start_nginx()
        self.nginx.reload()
        descriptors, memory, reloads = idle_descriptors(self.nginx), [], 0
        signals = itertools.cycle([signal.SIGKILL, signal.SIGTERM])
        begun = time.monotonic()
        with Load(self.nginx, may_be_away=True) as load:
            while (now := time.monotonic() - begun) < SECONDS:
                time.sleep(3)
                self.restart_redis(next(signals))
                load.until_created(200)
                if now // RELOAD_EVERY > reloads:
                    memory.append(self.memory())
                    self.nginx.reload()
                    reloads += 1
            time.sleep(RECONNECTED)
            memory.append(self.memory())
        self.tell(f'{reloads} reloads; KiB of anonymous memory, of master and worker: {memory[0]}, at the end {memory[-1]}')
        load.verify(self, self.redis)
        eventually(lambda: idle_descriptors(self.nginx) == descriptors, 'descriptors as before')
        for first, last in zip(memory[0], memory[-1]):
            self.assertLess(last - first, GROWTH)


if __name__ == '__main__':
    unittest.main(verbosity=2)
