"""A Redis, a proxy before it and nginx with the module, in a folder of their own."""

import base64
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
import typing
import unittest

from proxy import Proxy, read_reply

ROOT = pathlib.Path(__file__).resolve().parents[2]
NGINX = os.environ.get('TEST_NGINX_BINARY', '/usr/sbin/nginx')
MODULE = os.environ.get('MODULE', ROOT / 'build/ngx_http_api_token_module.so')

ACCOUNT = '013xrzp12g3nqk8ngskn1wtxgka5b0nf'
KEYS = 'api_token:{%s}:' % ACCOUNT[10:16]
API = '/api/v1/api_token'
# seconds that nginx waits for a reply, and what a loaded machine may add to them and to the module's other times
TIMEOUT = 0.5
MARGIN = 1.5
# KiB that a process may grow; AddressSanitizer keeps 256 MiB of what was freed
GROWTH = 300_000 if 'ASAN_OPTIONS' in os.environ else 512

BAD = re.compile(r'\[(?:alert|emerg)\]|open socket|runtime error:|(?:Address|Leak)Sanitizer'
                 r'|exited on signal|exited with (?:fatal )?code [1-9]')


def eventually(condition, what, seconds=10):
    """Waits until it is true, and answers how long that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() > start + seconds:
            raise AssertionError(f'{what}: not within {seconds} s')
        time.sleep(0.01)
    return time.monotonic() - start


# ---- Redis

def command(words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in words)


class Redis:
    def __init__(self, folder, *options):
        self.folder, self.options = folder, options or ('--save', '', '--appendonly', 'no')
        self.socket = str(folder / 'redis.sock')
        self.url = 'unix:' + self.socket
        self.process = None

    def words(self):
        return ['--port', '0', '--unixsocket', self.socket, '--dir', self.folder, *self.options]

    def start(self, wait=True):
        with open(self.folder / 'redis.log', 'a') as log:
            self.process = subprocess.Popen(['redis-server', *self.words()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            eventually(self.is_up, 'Redis answers', 30)

    def is_up(self):
        with contextlib.suppress(OSError, EOFError):
            return self('PING') == b'PONG'

    def end(self, number=signal.SIGKILL):
        if self.process:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(30)
            self.process = None

    def __call__(self, *words):
        return self.all([words])[0]

    def all(self, commands):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(self.socket)
            with client.makefile('rb') as stream:
                replies = []
                while commands:
                    client.sendall(b''.join(map(command, commands[:500])))
                    replies += [read_reply(stream)[1] for _ in commands[:500]]
                    commands = commands[500:]
        return replies

    def stored(self):
        """The status of each token."""
        keys = self('KEYS', 'api_token:{*}:token:*')
        statuses = self.all([('HGET', key, 'status') for key in keys])
        return {key.decode()[-32:]: status.decode() for key, status in zip(keys, statuses)}

    def order(self, name):
        """The tokens in it, of all accounts."""
        keys = self('KEYS', f'api_token:{{*}}:account:*:{name}')
        return {id.decode() for ids in self.all([('ZRANGE', key, 0, -1) for key in keys]) for id in ids}

    def listeners(self):
        return self('PUBSUB', 'NUMSUB', 'api_token:changes')[1]


# ---- nginx

CONFIGURATION = '''load_module {module};
{user}
{main}
daemon off;
worker_processes {workers};
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    api_token_redis {redis} timeout={timeout} connect_timeout={connect_timeout};
    {cache}
    {http}
    api_token_last_used {last_used};
{keys}
    server {{
        listen unix:{socket} backlog=1024;
        listen 127.0.0.1:{port};
        location {api} {{
            api_token;
            api_token_caller account={account};
        }}
        location / {{
            auth_api_token faults;
            root html;
        }}
    }}
}}
'''


def new_key(kid):
    secret = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b'=').decode()
    return json.dumps({'kty': 'oct', 'kid': kid, 'k': secret})


# below those that the system gives to clients: a server that comes back finds its own free
PORTS = iter(random.sample(range(10000, 32000), 1000))


def free_port():
    for port in PORTS:
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(('127.0.0.1', port))
            return port


class Answer(typing.NamedTuple):
    """Status 0 is no answer, and then the content tells why."""
    status: int
    headers: dict
    content: bytes
    seconds: float

    def json(self):
        return json.loads(self.content)


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('localhost', timeout=15)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Nginx:
    def __init__(self, folder, redis, key, **values):
        self.folder, self.port, self.process = folder, free_port(), None
        self.socket = str(folder / 'nginx.sock')
        self.expected = []
        (folder / 'html').mkdir(parents=True)
        (folder / 'html/in').write_text('in')
        self.values = {
            'user': 'user root;' if os.getuid() == 0 else '', 'main': '', 'workers': 2,
            'timeout': f'{int(1000 * TIMEOUT)}ms', 'connect_timeout': '1s', 'last_used': '1s', 'account': ACCOUNT,
            'cache': 'api_token_cache zone=tokens:1m;', 'http': '',
            **values,
            'module': MODULE, 'redis': redis, 'socket': self.socket, 'port': self.port, 'api': API}
        self.configure([key])

    def configure(self, keys):
        """The texts of key files, the first of which signs."""
        lines = []
        for number, key in enumerate(keys):
            path = self.folder / f'{number}.jwk'
            path.touch(0o600)
            path.write_text(key)
            lines.append(f'    api_token_key {path};')
        (self.folder / 'nginx.conf').write_text(CONFIGURATION.format(keys='\n'.join(lines), **self.values))

    def start(self):
        with open(self.folder / 'stderr', 'a') as log:
            self.process = subprocess.Popen([NGINX, '-e', 'error.log', '-p', self.folder, '-c', 'nginx.conf'],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: self.ask('GET', '/in').status == 401, 'nginx answers')

    def workers(self):
        children = f'/proc/{self.process.pid}/task/{self.process.pid}/children'
        return {int(pid) for pid in pathlib.Path(children).read_text().split()}

    def reload(self):
        """Until the old workers have ended; answers how long that took."""
        old = self.workers()
        count = self.values['workers']
        self.process.send_signal(signal.SIGHUP)
        return eventually(lambda: not old & self.workers() and len(self.workers()) == count, 'a reload')

    def kill_worker(self):
        killed = min(self.workers())
        self.expected.append(rf'worker process {killed} exited on signal 9|was locked by {killed}\b')
        os.kill(killed, signal.SIGKILL)
        count = self.values['workers']
        eventually(lambda: killed not in self.workers() and len(self.workers()) == count, 'a new worker')

    def log(self):
        return (self.folder / 'error.log').read_text(errors='replace')

    def end(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGQUIT)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError('nginx does not end')
        expected = re.compile('|'.join(self.expected or ['(?!)']))
        bad = [line for line in self.log().splitlines() if BAD.search(line) and not expected.search(line)]
        if bad or status:
            raise AssertionError('\n'.join([f'nginx exited with {status}', *bad]))

    def ask(self, method, path, token=None, body=None, **headers):
        headers = {'Connection': 'close', **headers}
        if token:
            headers['Authorization'] = 'Bearer ' + token
        if body is not None:
            headers['Content-Type'] = 'application/json'
        start, connection = time.monotonic(), Connection(self.socket)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            status, head, content = response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as reason:
            status, head, content = 0, {}, repr(reason).encode()
        finally:
            connection.close()
        return Answer(status, head, content, time.monotonic() - start)

    def check(self, token):
        return self.ask('GET', '/in', token)

    def create(self, key=None, account=ACCOUNT):
        headers = {'Idempotency-Key': key} if key else {}
        return self.ask('POST', API, body=json.dumps({'token_scope': 'account', 'account_id': account}), **headers)

    def new_token(self, account=ACCOUNT):
        answer = self.create(account=account)
        if answer.status != 200:
            raise AssertionError(answer)
        return answer.json()['details']['id'], answer.json()['token']

    def act(self, id, action):
        return self.ask('POST', f'{API}/{id}/{action}')


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def idle_descriptors(nginx):
    """How many each process has, once those of clients are closed."""
    counts = collections.defaultdict(list)
    for _ in range(20):
        for pid in [nginx.process.pid, *nginx.workers()]:
            counts[pid].append(descriptors(pid))
        time.sleep(0.01)
    return sorted(min(seen) for seen in counts.values())


def anonymous_memory(pid):
    """In KiB."""
    text = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'RssAnon:\s+(\d+)', text)[1])


class Case(unittest.TestCase):
    """Each test has a Redis of its own, and a key for all its nginx."""

    redis_options = ()

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='api-token-')))
        self.key = new_key('first')
        self.start_redis()

    def start_redis(self):
        self.redis = Redis(self.folder, *self.redis_options)
        self.redis.start()
        self.addCleanup(self.redis.end)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / 'proxy.sock'))
        listener.listen(128)
        self.start_proxy(listener)
        self.behind_proxy = f'unix:{self.folder}/proxy.sock'

    def start_proxy(self, listener):
        self.proxy = Proxy(self.redis, listener)
        self.addCleanup(self.proxy.end)

    def new_nginx(self, redis=None, name='nginx', **values):
        """Over the test's Redis, or over another address."""
        nginx = Nginx(self.folder / name, redis or self.redis.url, self.key, **values)
        self.addCleanup(nginx.end)
        nginx.start()
        return nginx

    def start_nginx(self, *where, **values):
        """One that hears of revocations."""
        before = self.redis.listeners()
        nginx = self.new_nginx(*where, **values)
        eventually(lambda: self.redis.listeners() == before + nginx.values['workers'], 'nginx listens')
        return nginx

    def tell(self, text):
        print(f'{self.id()}: {text}', flush=True)
