"""Several Redis servers: a cluster, and a master with its replicas and sentinels."""

import binascii
import contextlib
import subprocess

from harness import Redis, eventually, free_port

SLOTS = 16384


class Server(Redis):
    """One that others reach."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.address, self.id = f'127.0.0.1:{self.port}', f'{self.port:040d}'
        folder = folder / str(self.port)
        folder.mkdir()
        super().__init__(folder, '--port', str(self.port), '--bind', '127.0.0.1', '--save', '',
                         '--repl-diskless-sync-delay', '0', *options)

    def do(self, *words):
        if (answer := self(*words)) != b'OK':
            raise AssertionError(f'{words}: {answer}')

    def role(self):
        """Nothing while it throws out its clients, since it has become a replica."""
        with contextlib.suppress(OSError, EOFError):
            return self('ROLE')
        return []

    def is_master(self):
        return self.role()[:1] == [b'master']

    def follows(self, master):
        return self.role()[:4] == [b'slave', b'127.0.0.1', master.port, b'connected']

    def is_confirmed(self, replicas, *write):
        """By that many."""
        written, count = self.all([write, ('WAIT', replicas, 100)])
        return written == b'OK' and count >= replicas

    def until_followed(self, replicas):
        """By so many, while there is no data. A write from before they came counts as confirmed, so a second one is asked for."""
        for _ in range(2):
            eventually(lambda: self.is_confirmed(replicas, 'FLUSHALL'), 'replicas follow', 30)


class Servers:
    """All of them, in the place of one Redis."""

    def __init__(self, servers):
        self.servers = servers

    def start(self):
        for server in self.servers:
            server.start()

    def end(self):
        for server in self.servers:
            server.end()

    def alive(self):
        return [server for server in self.servers if server.process]

    def at(self, port):
        return next(server for server in self.servers if server.port == port)

    def listeners(self):
        return sum(server.listeners() for server in self.alive())

    def masters(self):
        return [server for server in self.alive() if server.is_master()]

    def stored(self):
        return {id: status for master in self.masters() for id, status in master.stored().items()}

    def order(self, name):
        return set().union(*(master.order(name) for master in self.masters()))


# ---- a cluster

def slot_of(id):
    """Of an account, or a token."""
    return binascii.crc_hqx(id[10:16].encode(), 0) % SLOTS


class Node(Server):
    def __init__(self, folder):
        self.bus = free_port()
        super().__init__(folder, '--cluster-enabled', 'yes', '--cluster-port', str(self.bus),
                         '--cluster-node-timeout', '2000', '--cluster-announce-ip', '127.0.0.1')

    def learn(self, nodes, epoch):
        """What it will know of nodes from its start."""
        lines = [f'{node.id} {node.address}@{node.bus} {"myself," if node is self else ""}{rest}' for node, rest in nodes]
        text = '\n'.join([*lines, f'vars currentEpoch {epoch} lastVoteEpoch 0', ''])
        (self.folder / 'nodes.conf').write_text(text)

    def knows(self, count):
        text = self('CLUSTER', 'NODES')
        return text.count(b'\n') == count and b'handshake' not in text

    def is_ok(self):
        return self('CLUSTER', 'INFO').startswith(b'cluster_state:ok')

    def slots(self):
        """First and last ones, and the port of the master that has them."""
        return {(first, last, master[1]) for first, last, master, *_ in self('CLUSTER', 'SLOTS')}


class Cluster(Servers):
    """Three masters, and a replica of each."""

    def __init__(self, folder):
        super().__init__([Node(folder) for _ in range(6)])
        self.folder = folder
        masters = self.servers[:3]
        self.url = 'cluster://' + ','.join(node.address for node in masters)
        nodes = [(node, f'master - 0 0 {i} connected {SLOTS * i // 3}-{SLOTS * (i + 1) // 3 - 1}')
                 for i, node in enumerate(masters)]
        nodes += [(node, f'slave {masters[i].id} 0 0 {i} connected') for i, node in enumerate(self.servers[3:])]
        for node in self.servers:
            node.learn(nodes, 2)

    def start(self):
        super().start()
        eventually(self.is_whole, 'the cluster is ok', 30)
        for master in self.servers[:3]:
            master.until_followed(1)

    def is_whole(self, without=None):
        """All nodes agree where the slots are, none of them there."""
        maps = [node.slots() for node in self.alive()]
        is_left = without is None or all(port != without.port for _, _, port in maps[0])
        return is_left and all(slots == maps[0] for slots in maps) and all(node.is_ok() for node in self.alive())

    def home_of(self, id):
        eventually(self.is_whole, 'the cluster is ok', 30)
        slot = slot_of(id)
        return self.at(next(port for first, last, port in self.alive()[0].slots() if first <= slot <= last))

    def move(self, account, target, between):
        """Its slot, a few keys at a time."""
        slot, source = slot_of(account), self.home_of(account)
        target.do('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id)
        source.do('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id)
        while keys := source('CLUSTER', 'GETKEYSINSLOT', slot, 10):
            source.do('MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'KEYS', *keys)
            between()
        for node in [target, source, *self.masters()]:
            node.do('CLUSTER', 'SETSLOT', slot, 'NODE', target.id)

    def add(self):
        """A master without slots, and its replica."""
        master, replica = added = [Node(self.folder) for _ in range(2)]
        for node in added:
            node.learn([(node, 'master - 0 0 0 connected')], 0)
            node.start()
            self.servers[0].do('CLUSTER', 'MEET', '127.0.0.1', node.port, node.bus)
        self.servers += added
        eventually(lambda: all(node.knows(len(self.servers)) for node in self.servers), 'all know one another', 30)
        replica.do('CLUSTER', 'REPLICATE', master.id)
        master.until_followed(1)
        eventually(self.is_whole, 'the new ones are part of it', 30)
        return master

    def rebalance(self, new, weight):
        """Gives the new master slots, by its weight beside 1 of each other."""
        words = ['redis-cli', '--cluster', 'rebalance', new.address, '--cluster-use-empty-masters',
                 '--cluster-weight', f'{new.id}={weight}']
        balancer = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if balancer.returncode:
            raise AssertionError(balancer.stdout)


# ---- sentinels

class Sentinel(Server):
    def words(self):
        return [self.folder / 'conf', '--sentinel']

    def learn(self, master, replicas, others):
        """What it will know from its start."""
        lines = [f'port {self.port}', 'bind 127.0.0.1', f'dir {self.folder}', f'unixsocket {self.socket}',
                 f'sentinel myid {self.id}', f'sentinel monitor store 127.0.0.1 {master.port} 2',
                 'sentinel down-after-milliseconds store 2000', 'sentinel failover-timeout store 5000',
                 *(f'sentinel known-replica store 127.0.0.1 {replica.port}' for replica in replicas),
                 *(f'sentinel known-sentinel store 127.0.0.1 {other.port} {other.id}' for other in others)]
        (self.folder / 'conf').write_text('\n'.join([*lines, '']))

    def master_port(self):
        return int(self('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'store')[1])


class Replicated(Servers):
    """A master and two replicas, and three sentinels."""

    def __init__(self, folder):
        super().__init__([Server(folder) for _ in range(3)])
        self.sentinels = [Sentinel(folder) for _ in range(3)]
        self.url = 'sentinel://' + ','.join(sentinel.address for sentinel in self.sentinels) + '/store'

    def start(self):
        super().start()
        master, *replicas = self.servers
        for replica in replicas:
            replica.do('REPLICAOF', '127.0.0.1', master.port)
        master.until_followed(2)
        for sentinel in self.sentinels:
            sentinel.learn(master, replicas, [other for other in self.sentinels if other is not sentinel])
            sentinel.start()
        eventually(self.have_quorum, 'all know one another', 30)

    def end(self):
        for sentinel in self.sentinels:
            sentinel.end()
        super().end()

    def have_quorum(self):
        answers = [sentinel('SENTINEL', 'CKQUORUM', 'store') for sentinel in self.sentinels]
        return all(isinstance(answer, bytes) and answer.startswith(b'OK 3') for answer in answers)

    def named(self):
        """By sentinels, as the master."""
        return {self.at(sentinel.master_port()) for sentinel in self.sentinels}

    def home_of(self, id):
        eventually(lambda: len(self.named()) == 1, 'all name one master')
        return self.named().pop()

    def is_whole(self, without):
        """All name another, and it has a replica."""
        named = self.named()
        return len(named) == 1 and without not in named and named.pop().is_confirmed(1, 'SET', 'whole', '')
