"""An nginx that checks at a replica near it, while tokens are made and revoked at the master, as docs/scaling.md has it."""

import signal
import unittest

from harness import Case, Redis, eventually, free_port


class Region(Case):
    def setUp(self):
        port = free_port()
        self.redis_options = ('--port', str(port), '--save', '', '--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1')
        super().setUp()
        (self.folder / 'near').mkdir()
        self.replica = Redis(self.folder / 'near', '--save', '', '--replicaof', f'127.0.0.1 {port}', '--repl-timeout', '3',
                             '--replica-serve-stale-data', 'no')
        self.replica.start(wait=False)
        self.addCleanup(self.replica.end)
        eventually(self.is_linked, 'the replica has its master', 30)
        self.far = self.start_nginx()
        self.near = self.new_nginx('unix:' + self.replica.socket, 'away', last_used='off')
        eventually(lambda: self.replica.listeners() == 2, 'the other nginx listens at the replica')

    def is_linked(self):
        return self.replica.is_up() and b'master_link_status:up' in self.replica('INFO', 'replication')

    def replicated(self):
        """A token, once the replica has it."""
        id, token = self.far.new_token()
        eventually(lambda: self.near.check(token).status == 200, 'the replica has the token')
        return id, token

    def test_check(self):
        id, token = self.replicated()
        self.assertEqual(self.near.act(id, 'revoke').status, 503)
        self.assertEqual(self.far.act(id, 'revoke').status, 200)
        # sooner than the cache would ask again by itself
        eventually(lambda: self.near.check(token).status == 401, 'the revocation is heard', 5)

    def test_cut_off(self):
        _, token = self.replicated()
        self.redis.process.send_signal(signal.SIGSTOP)
        self.tell(f'{eventually(lambda: self.near.check(token).status == 503, "the token is not believed any longer", 20):.1f} s')
        self.redis.process.send_signal(signal.SIGCONT)
        eventually(lambda: self.near.check(token).status == 200, 'the replica has its master again', 30)


if __name__ == '__main__':
    unittest.main()
