"""Reloads and dead workers under load."""

import signal
import threading
import time
import unittest

from harness import API, Case, MARGIN, TIMEOUT, descriptors, eventually, idle_descriptors
from load import Load
from proxy import pass_on


class Reload(Case):
    def test_under_load(self):
        nginx = self.start_nginx()
        nginx.reload()
        before, longest = idle_descriptors(nginx), 0
        with Load(nginx) as load:
            for _ in range(10):
                time.sleep(0.2)
                longest = max(longest, nginx.reload())
        self.tell(f'10 reloads, the longest {longest:.2f} s')
        load.verify(self, self.redis)
        eventually(lambda: idle_descriptors(nginx) == before, 'descriptors as before')

    def test_while_redis_is_stopped(self):
        """The old workers answer what waits, and go."""
        nginx = self.start_nginx()
        with Load(nginx, may_be_away=True) as load:
            time.sleep(0.5)
            self.redis.process.send_signal(signal.SIGSTOP)
            for _ in range(3):
                load.until_created(503)
                seconds = nginx.reload()
                self.assertLess(seconds, TIMEOUT + MARGIN)
            self.redis.process.send_signal(signal.SIGCONT)
            load.until_created(200)
        load.verify(self, self.redis)

    def test_worker_killed(self):
        nginx, kills = self.start_nginx(), 4
        with Load(nginx) as load:
            load.may_be_lost = kills * len(load.threads)
            for _ in range(kills):
                time.sleep(0.4)
                nginx.kill_worker()
        self.tell(f'{kills} workers killed')
        load.verify(self, self.redis)

    def test_requests_that_a_worker_leaves_behind(self):
        """worker_shutdown_timeout ends them where they wait; their replies come later."""
        nginx = self.start_nginx(self.behind_proxy, timeout='5s', main='worker_shutdown_timeout 100ms;')
        load, gate = Load(nginx), threading.Event()

        def hold(exchange):
            reply = exchange.ask()
            gate.wait()
            exchange.send(reply)
        id, token = load.new_token()
        self.proxy.fault = hold
        old, before = nginx.workers(), sum(idle_descriptors(nginx))
        paths = [('GET', API, None), ('GET', f'{API}/{id}', None), ('GET', '/in', token)] * 8
        answers = []
        threads = [threading.Thread(target=lambda path=path: answers.append(nginx.ask(*path))) for path in paths]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(map(descriptors, [*old, nginx.process.pid])) >= before + len(paths), 'all are there')
        nginx.process.send_signal(signal.SIGHUP)
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {0})
        self.proxy.fault = pass_on
        gate.set()
        eventually(lambda: not old & nginx.workers(), 'the old workers end')
        load.verify(self, self.redis)


if __name__ == '__main__':
    unittest.main(verbosity=2)
