"""Nodes of a cluster that the test plays, and a name server that is silent."""

import pathlib
import socket
import tempfile
import threading
import time
import unittest

from harness import ACCOUNT, API, MARGIN, Nginx, eventually, new_key
from proxy import read_reply

OK, NOTHING = b'+OK\r\n', b'*1\r\n$-1\r\n'
RECORD = f'{API}/{ACCOUNT}'


def bulk(text):
    return b'$%d\r\n%s\r\n' % (len(text), text.encode())


def array(*parts):
    return b'*%d\r\n' % len(parts) + b''.join(parts)


class Node:
    """`answer` is given a command's words and the address that the client asked, and answers the reply, or None."""

    def __init__(self, case, answer, host='127.0.0.1'):
        self.answer, self.slots_at, self.state = answer, None, 'ok'
        self.commands, self.count = [], 0
        self.listener = socket.create_server((host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        case.addCleanup(Node.close, self.listener)
        threading.Thread(target=self.accept, daemon=True).start()

    @staticmethod
    def close(listener):
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def accept(self):
        try:
            while True:
                client = self.listener.accept()[0]
                self.count += 1
                threading.Thread(target=self.serve, args=[client], daemon=True).start()
        except OSError:
            pass

    def serve(self, client):
        host = client.getsockname()[0]
        try:
            with client, client.makefile('rb') as stream:
                while True:
                    words = [word.decode() for word in read_reply(stream)[1]]
                    self.commands.append(words)
                    client.sendall(self.reply(words, host) or b'')
        except (OSError, EOFError):
            pass

    def reply(self, words, host):
        if words == ['CLUSTER', 'SLOTS']:
            nodes = [array(bulk(host), b':%d\r\n' % port, bulk(f'id{port}')) for host, port in self.slots_at]
            return array(array(b':0\r\n', b':16383\r\n', *nodes))
        if words[0] == 'CLUSTER':
            return bulk(f'cluster_state:{self.state}\r\n')
        if words[0] == 'SUBSCRIBE':
            return array(bulk('subscribe'), bulk(words[1]), b':1\r\n')
        if words[0] == 'PING':
            return array(bulk('pong'), bulk(''))
        return self.answer(words, host)


class Nodes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='api-token-')))
        self.key = new_key('first')

    def new_node(self, answer, *where):
        node = Node(self, answer, *where)
        node.slots_at = [('127.0.0.1', node.port)]
        return node

    def start_nginx(self, redis, name='nginx', **values):
        nginx = Nginx(self.folder / name, redis, self.key, **{'workers': 1, **values})
        self.addCleanup(nginx.end)
        nginx.start()
        return nginx

    def status(self, nginx):
        return nginx.ask('GET', RECORD).status

    def until_served(self, nginx):
        return eventually(lambda: self.status(nginx) == 404, 'served', 5)

    def silent_resolver(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(('127.0.0.1', 0))
        return f'resolver 127.0.0.1:{server.getsockname()[1]};'

    def test_cut_off(self):
        """Nothing is known any longer once the node that is listened to says so, though the others say nothing."""
        active = [True]

        def answer(words, host):
            if words[0] != 'HMGET':
                return b':1\r\n'
            nil = b'$-1\r\n'
            record = [bulk(ACCOUNT), bulk('active'), bulk(str(int(time.time()) + 9999)), nil, bulk('account'), nil]
            return array(*record) if active[0] else array(*[nil] * 6)
        node = self.new_node(answer)
        others = [self.new_node(lambda words, host: b'') for _ in range(4)]
        for other in others:
            other.reply = lambda words, host: b''
        node.slots_at += [('127.0.0.1', other.port) for other in others]
        nginx = self.start_nginx(f'cluster://127.0.0.1:{node.port}', last_used='off')
        eventually(lambda: ['SUBSCRIBE', 'api_token:changes'] in node.commands, 'it is listened to')
        eventually(lambda: nginx.create().status == 200, 'served')
        token = nginx.new_token()[1]

        def is_known():
            asked = node.commands.count(question)
            return nginx.check(token).status == 200 and node.commands.count(question) == asked
        self.assertEqual(nginx.check(token).status, 200)
        question = next(words for words in node.commands if words[0] == 'HMGET')
        eventually(is_known, 'it is known')
        active[0], node.state = False, 'fail'
        self.assertLess(eventually(lambda: nginx.check(token).status == 401, 'asked again', 5), 1 + MARGIN)

    def test_addresses(self):
        """That a master has one after the other, more than a worker can tell apart."""
        at = [1]

        def address():
            return f'127.0.{1 + at[0] // 200}.{1 + at[0] % 200}'

        def answer(words, host):
            return NOTHING if host == address() else f'-MOVED 1 {address()}:{node.port}\r\n'.encode()
        node = self.new_node(answer, '0.0.0.0')
        node.slots_at = [(address(), node.port)]
        nginx = self.start_nginx(f'cluster://127.0.0.1:{node.port}', cache='')
        self.until_served(nginx)
        for at[0] in range(2, 300):
            node.slots_at = [(address(), node.port)]
            self.until_served(nginx)

    def test_in_flight(self):
        """A node that has lost its last slot still answers what it was asked."""
        def slow(words, host):
            old.slots_at = new.slots_at = [('127.0.0.1', new.port)]
            time.sleep(8)
            return NOTHING
        old, new = self.new_node(slow), self.new_node(lambda words, host: NOTHING)
        new.slots_at = old.slots_at
        nginx = self.start_nginx(f'cluster://127.0.0.1:{new.port}', cache='', timeout='12s')
        eventually(lambda: ['CLUSTER', 'SLOTS'] in new.commands, 'the slots are known')
        answer = nginx.ask('GET', RECORD)
        self.assertEqual(answer.status, 404)
        self.assertGreaterEqual(answer.seconds, 8)
        self.assertLess(self.until_served(nginx), 5, 'the other has it now')

    def test_command_sent_again(self):
        """Is late alone, and in time: others of its node's connection are answered."""
        def answer(words, host):
            time.sleep(0.8)
            several_keys = int(words[2]) > 1
            return b'-TRYAGAIN Multiple keys request during rehashing of slot\r\n' if several_keys else NOTHING
        nginx = self.start_nginx(f'cluster://127.0.0.1:{self.new_node(answer).port}', cache='', timeout='2s')
        creates = []
        # the create is sent at 0, 0.81 and 1.63 s
        for pause in 1.2, 1.8:
            self.until_served(nginx)
            create = threading.Thread(target=lambda: creates.append(nginx.create()))
            create.start()
            time.sleep(pause)
            self.assertEqual(self.status(nginx), 404, f'what is asked after {pause} s')
            create.join()
            self.assertEqual(creates[-1].status, 503)
            self.assertLess(creates[-1].seconds, 2.4)
        self.assertNotIn('does not answer in time', nginx.log())

    def test_script_sent_again(self):
        """It has what is left of the time."""
        def answer(words, host):
            time.sleep(0.4)
            return b'-NOSCRIPT No matching script.\r\n' if words[0] == 'EVALSHA' else NOTHING
        nginx = self.start_nginx(f'redis://127.0.0.1:{self.new_node(answer).port}', cache='', timeout='600ms')
        self.assertEqual(self.status(nginx), 503)

    def test_refused_greeting(self):
        """Is tried less and less often."""
        password = self.folder / 'password'
        password.write_text('secret\n')
        password.chmod(0o600)
        replies = {'AUTH': b'-WRONGPASS invalid username-password pair\r\n', 'SELECT': b'-ERR DB index is out of range\r\n'}
        for refused in replies:
            node = self.new_node(lambda words, host: replies[refused] if words[0] == refused else OK)
            self.start_nginx(f'redis://127.0.0.1:{node.port}/99 password_file={password}', refused, cache='')
            time.sleep(2)
            before = node.count
            time.sleep(3)
            self.assertLess(node.count - before, 10, refused)
            self.assertGreater(node.count, before, refused)

    def test_silent_resolver(self):
        """The addresses of the configuration have their turn, also of what takes a second without a word for a loss."""
        node = self.new_node(lambda words, host: NOTHING)
        for scheme in 'cluster', 'redis':
            node.commands.clear()
            nginx = self.start_nginx(f'{scheme}://localhost:{node.port}', scheme, connect_timeout='3s', http=self.silent_resolver())
            eventually(lambda: self.status(nginx) == 404, f'{scheme}: served', 10)
            eventually(lambda: ['SUBSCRIBE', 'api_token:changes'] in node.commands, f'{scheme}: listens', 10)

    def test_reload_without_resolver(self):
        """Workers end though names are asked for all the time."""
        stores = ''.join(f'location /{i} {{ api_token; api_token_redis redis://localhost:1/{i}; api_token_caller account=any; }} '
                         for i in range(1, 16))
        http = f'{self.silent_resolver()} server {{ listen unix:{self.folder}/other.sock; {stores} }}'
        nginx = self.start_nginx('redis://localhost:1', http=http)
        for _ in range(3):
            self.assertLess(nginx.reload(), 2 + MARGIN)


if __name__ == '__main__':
    unittest.main(verbosity=2)
