"""Redis servers that keep nothing on disk, one or a cluster of masters, and tokens in them as the module stores them."""

import binascii, random, re, sys, threading, time

from measure import HERE, free_port, wait_for

sys.path.append(str(HERE.parent / "faults"))
from harness import Redis

SLOTS, BATCH = 16384, 250
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LIFE, RETENTION = 90 * 86400, 30 * 86400

# KEYS: an account's orders. ARGV: what the keys of its tokens begin with, what their ids begin with, the first and the
# last number, the time of number 0, their life, how long they are kept after it, the account, an environment or "",
# what the keys of idempotency begin with or "". Writes what src/store/create.cpp writes.
FILL = """
local token_key, id_start, first, last, since, life, kept, account, environment, idempotency_key = unpack(ARGV)
local scope = environment == '' and {'account'} or {'environment', environment}
local more = environment == '' and {} or {'environment_id', environment}
for number = first, last do
  local id, at = id_start .. string.format('%016d', number), since + number
  redis.call('ZADD', KEYS[1], at, id)
  redis.call('ZADD', KEYS[2], at + life, id)
  redis.call('HSET', token_key .. id, 'account_id', account, 'token_scope', scope[1], 'status', 'active',
    'inserted_at', at, 'updated_at', at, 'expires_at', at + life, unpack(more))
  redis.call('EXPIREAT', token_key .. id, at + life + kept)
  if idempotency_key ~= '' then
    local digest = redis.sha1hex(id) .. string.rep('0', 24)
    redis.call('SET', idempotency_key .. digest, id .. table.concat(scope, ' ') .. ' -', 'EX', 86400)
  end
end
"""

# KEYS: an account's orders. ARGV: what the keys of its tokens begin with, a time. Removes tokens that expire then.
REMOVE = """
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[2], ARGV[2], 'LIMIT', 0, 1000)
for _, id in ipairs(ids) do redis.call('DEL', ARGV[1] .. id) end
if #ids > 0 then for _, key in ipairs(KEYS) do redis.call('ZREM', key, unpack(ids)) end end
return #ids
"""


def slot_of(tag):
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


def master_of(account, masters):
    return slot_of(account[10:16]) * masters // SLOTS


def new_accounts(count, seed=1):
    chance = random.Random(seed)
    return ["013xrzp12g" + "".join(chance.choices(ALPHABET, k=22)) for _ in range(count)]


def token_id(account, number):
    return f"01m88knmzq{account[10:16]}{number:016d}"


def environment_of(account):
    return account[:16] + 16 * "0"


def key(account, rest):
    return f"api_token:{{{account[10:16]}}}:{rest}"


def orders(account):
    return [key(account, f"account:{account}:{order}") for order in ("inserted_at", "expires_at")]


class Node(Redis):
    def __init__(self, folder, is_of_cluster):
        folder.mkdir(parents=True)
        self.port, self.bus = free_port(), free_port()
        # while it is filled a node does not speak to the others for long
        cluster = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--cluster-node-timeout", "60000"] if is_of_cluster else []
        super().__init__(folder, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", *cluster)

    def info(self, section, name):
        return int(re.search(rf"\b{name}:(\d+)", self("INFO", section).decode())[1])


class Cluster:
    """One node alone is no cluster."""

    def __init__(self, servers, masters=3, name="redis"):
        self.nodes, self.since = [], int(time.time())
        for number in range(masters):
            node = Node(servers.folder / name / str(number), masters > 1)
            self.nodes.append(node)
            servers.callback(node.end)
            node.start()
        self.scripts = {script: self.nodes[0]("SCRIPT", "LOAD", script).decode() for script in (FILL, REMOVE)}
        for node in self.nodes[1:]:
            node.all([("SCRIPT", "LOAD", script) for script in self.scripts])
        if masters > 1:
            self.join()
        self.pids = [node.process.pid for node in self.nodes]
        scheme, separator = ("cluster", ",") if masters > 1 else ("redis", "")
        self.url = f"{scheme}://" + separator.join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def join(self):
        bounds = [-(-SLOTS * number // len(self.nodes)) for number in range(len(self.nodes) + 1)]
        for number, node in enumerate(self.nodes):
            node("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        for node in self.nodes[1:]:
            self.nodes[0]("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        for node in self.nodes:
            wait_for(lambda: {b"cluster_state:ok", b"cluster_known_nodes:%d" % len(self.nodes)} <= set(node("CLUSTER", "INFO").split()))

    def node_of(self, account):
        return self.nodes[master_of(account, len(self.nodes))]

    def run(self, script, accounts, arguments):
        """The script for each account, with each of its lists of arguments; at all nodes at once. The sum of its answers."""
        answers = []

        def run_at(node):
            answers.extend(node.all([("EVALSHA", self.scripts[script], 2, *orders(account), key(account, "token:"), *more)
                                     for account in accounts if self.node_of(account) is node for more in arguments(account)]))

        threads = [threading.Thread(target=run_at, args=[node]) for node in self.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wrong = [answer for answer in answers if isinstance(answer, RuntimeError)]
        if wrong:
            sys.exit(f"a script fails: {wrong[0]}")
        return sum(answer or 0 for answer in answers)

    def fill(self, accounts, count, has_environment=True, has_idempotency=False, age=0):
        """`count` tokens for each account, made a second apart, the last `age` seconds ago."""
        since = self.since - age - count

        def arguments(account):
            environment = environment_of(account) if has_environment else ""
            idempotency = key(account, f"idempotency:{account}:") if has_idempotency else ""
            for first in range(1, count + 1, BATCH):
                yield (token_id(account, 0)[:16], first, min(first + BATCH - 1, count), since, LIFE, RETENTION, account, environment, idempotency)

        self.run(FILL, accounts, arguments)
        return since

    def remove(self, accounts, expires_at):
        while self.run(REMOVE, accounts, lambda account: [[expires_at]]):
            pass

    def memory(self, name="used_memory"):
        return sum(node.info("memory", name) for node in self.nodes)

    def content(self, account):
        """All that is stored for an account with one token: ids by name, times as seconds from its making, and how long it is
        kept, the record in seconds behind the token, an idempotency key in minutes from now."""
        node, found, made = self.node_of(account), [], 0
        for name in node("KEYS", key(account, "*")):
            kind = node("TYPE", name).decode()
            value = node(*{"hash": ("HGETALL", name), "zset": ("ZRANGE", name, 0, -1, "WITHSCORES"), "string": ("GET", name)}[kind])
            kept = node("EXPIRETIME", name)
            if kind == "hash":
                made = int(value[value.index(b"inserted_at") + 1])
                kept -= int(value[value.index(b"expires_at") + 1])
            elif kind == "string":
                kept = round((kept - time.time()) / 60)
            found.append((name, kind, node("OBJECT", "ENCODING", name), node("MEMORY", "USAGE", name), value, kept))
        text = repr(sorted(found)).replace(account, "ACCOUNT").replace(account[10:16], "PARTITION")
        text = re.sub(r"01\w{8}PARTITION\w{16}", "ID", re.sub(r"[0-9a-f]{64}", "DIGEST", text))
        return re.sub(r"\b1[789]\d{8}\b", lambda time: f"+{int(time[0]) - made}", text)
