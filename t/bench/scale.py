#!/usr/bin/env python3
"""What many tokens cost: the same requests to clusters of three masters with few tokens and with many, 1,000 to an account,
and with a tenth of the many in one account.

    scale.py [--tokens 10000000] [--seconds 2] [--rounds 5] [--connections 32] MODULE.so

The clusters take turns; ratios are taken within a round, then their median. Tokens are written by a script in Redis, as the
module writes them, which is compared first. All runs on loopback; 10,000,000 tokens take 8 GiB."""

import argparse, binascii, collections, hashlib, hmac, json, random, statistics, sys
from pathlib import Path

from cluster import ALPHABET, LIFE, SLOTS, Cluster, environment_of, key, master_of, new_accounts, token_id
from measure import Load, Servers, ask, base64url

FEW, OF_ACCOUNT, IN_USE = 10000, 1000, 100000
END_OF_CREATED = 4070908800    # what load.lua asks for


# ---- what is stored

def compare(cluster, nginx):
    """Stops unless cluster.py writes what the module does."""
    kinds = ((False, False), (True, False), (True, True))
    for (has_environment, has_idempotency), made, filled in zip(kinds, new_accounts(3, seed=2), new_accounts(3, seed=3)):
        body = {"token_scope": "environment", "environment_id": environment_of(made)} if has_environment else {"token_scope": "account"}
        status, answer = ask(nginx["port"], "POST", "/api_token", body | ({"idempotency_key": "x"} if has_idempotency else {}), {"X-Account": made})
        cluster.fill([filled], 1, has_environment, has_idempotency)
        contents = cluster.content(made), cluster.content(filled)
        if status != 200 or contents[0] != contents[1]:
            sys.exit(f"the module ({status} {answer}) stores\n{contents[0]}\ncluster.py writes\n{contents[1]}")


def bench_memory(module):
    print("| a token of 1,000 of its account, 100 accounts | bytes | tokens in a GiB |\n| --- | --- | --- |")
    with Servers("scale", module) as servers:
        cluster = Cluster(servers, masters=1)
        nginx = servers.start_nginx("nginx", cluster.url, cluster.pids)
        compare(cluster, nginx)
        for name, options, then in KINDS:
            cluster.nodes[0]("FLUSHALL")
            before, accounts = cluster.memory(), new_accounts(100)
            cluster.fill(accounts, OF_ACCOUNT, **options)
            then(cluster, nginx, accounts)
            size = (cluster.memory() - before) / (len(accounts) * OF_ACCOUNT)
            print(f"| {name} | {size:.0f} | {2**30 / size:,.0f} |")


def nothing(cluster, nginx, accounts):
    pass


def use(cluster, nginx, accounts):
    cluster.nodes[0].all([("HSET", key(account, "token:" + token_id(account, number)), "last_used_at", cluster.since)
                          for account in accounts for number in range(1, OF_ACCOUNT + 1)])


def look(cluster, nginx, accounts):
    """A list, so that the module looks at what has expired."""
    for account in accounts:
        status, answer = ask(nginx["port"], "GET", "/api_token", headers={"X-Account": account})
        if status != 200:
            sys.exit(f"a list answers {status}: {answer}")


KINDS = (("scope `account`", {"has_environment": False}, nothing),
         ("scope `environment`", {}, nothing),
         ("the same, and it has been used", {}, use),
         ("the same, made with an idempotency key, for its 24 hours", {"has_idempotency": True}, use),
         ("used, expired and still kept", {"age": LIFE + 86400}, lambda *all: (use(*all), look(*all))))


# ---- where it is

def bench_slots():
    counts = {0: 1}
    for _ in range(6):
        after = collections.Counter()
        for crc, count in counts.items():
            for letter in ALPHABET.encode():
                after[binascii.crc_hqx(bytes([letter]), crc)] += count
        counts = after
    slots = collections.Counter()
    for crc, count in counts.items():
        slots[crc % SLOTS] += count
    print(f"\nOf the {32**6:,} partitions {min(slots.values()):,} to {max(slots.values()):,} are in each of {len(slots):,} slots.\n")
    print("| random partitions | masters | most of a master by least, median | worst of 100 draws |\n| --- | --- | --- | --- |")
    for count in (100, 1000, 10000):
        for masters in (3, 6):
            ratios = [spread(new_accounts(count, seed), masters) for seed in range(100)]
            print(f"| {count:,} | {masters} | {statistics.median(ratios):.2f} | {max(ratios):.2f} |")


def spread(accounts, masters):
    of_masters = collections.Counter(master_of(account, masters) for account in accounts)
    return max(of_masters.values()) / min(of_masters.values())


# ---- what it costs

class Many:
    """A cluster with tokens, and two nginx on it, the second without a cache."""

    def __init__(self, servers, name, accounts, of_account):
        self.servers, self.accounts, self.of_account, self.count = servers, accounts, of_account, len(accounts) * of_account
        self.cluster, self.folder = Cluster(servers, name=name), servers.folder / name
        before = self.cluster.memory()
        self.since = self.cluster.fill(accounts, of_account)
        self.bytes = (self.cluster.memory() - before) / self.count
        redis = self.cluster.url, self.cluster.pids
        self.cached = servers.start_nginx(f"{name}/cached", *redis, "api_token_cache zone=scale:32m valid=1h;", last_used="off")
        self.uncached = servers.start_nginx(f"{name}/uncached", *redis, last_used="off")
        self.write("accounts", accounts)
        self.write("tokens", self.tokens_in_use())

    def write(self, name, lines):
        (self.folder / name).write_text("".join(line + "\n" for line in lines))

    def tokens_in_use(self):
        head = base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        for place in random.Random(1).sample(range(self.count), min(self.count, IN_USE)):
            account, number = self.accounts[place // self.of_account], place % self.of_account + 1
            made = self.since + number
            claims = {"sub": account, "jti": token_id(account, number), "iat": made, "exp": made + LIFE, "token_scope": "environment",
                      "environment_id": environment_of(account)}
            text = f"{head}.{base64url(json.dumps(claims).encode())}"
            yield f"{text}.{base64url(hmac.digest(self.servers.secret, text.encode(), hashlib.sha256))}"

    def rows(self, few=None):
        accounts, tokens, middle = self.folder / "accounts", self.folder / "tokens", self.of_account // 2
        floors = few.loads if few else [None] * 5
        kinds = (("list, the first 20", self.cached, "/api_token", "accounts", accounts),
                 ("list, 20 of the middle", self.cached, f"/api_token?pagination%5Boffset%5D={middle}", "accounts", accounts),
                 ("check, without a cache", self.uncached, "/checked", "tokens", tokens),
                 ("check, in the cache", self.cached, "/checked", "tokens", tokens),
                 ("create", self.cached, "/api_token", "create", accounts))
        self.loads = [Load(*kind, floor=floor) for kind, floor in zip(kinds, floors)]
        return self.loads

    def warm(self, options):
        """Until the cache has all tokens in use, and both nginx have been at all nodes."""
        for load in self.loads:
            asked = 0
            while asked < (2 * min(self.count, IN_USE) if load.path == "/checked" else 1):
                load.run(options)
                asked += options.seconds * load.samples.pop()["rate"]
        self.forget_created()

    def forget_created(self):
        self.cluster.remove(self.accounts, END_OF_CREATED)


def even_accounts(count, masters=3):
    """As many for each master, since a busier one does more at a time."""
    of_masters = [[] for _ in range(masters)]
    for account in new_accounts(2 * count + 100):
        of_masters[master_of(account, masters)].append(account)
    return [of_masters[number % masters][number // masters] for number in range(count)]


def bench_rows(servers, options):
    shapes = {"few": (FEW // OF_ACCOUNT, OF_ACCOUNT), "many": (options.tokens // OF_ACCOUNT, OF_ACCOUNT), "one": (1, options.tokens // 10)}
    few, many, one = all_many = [Many(servers, name, even_accounts(accounts), count) for name, (accounts, count) in shapes.items()]
    rows = [(Load("return 200", few.cached, "/return"), few)]
    rows += [pair for row in zip(*(each.rows(None if each is few else few) for each in all_many)) for pair in zip(row, all_many)]
    rows += [(Load("check, without a cache, and its use is written", many.uncached, "/used", "tokens", many.folder / "tokens"), many)]
    for each in all_many:
        each.warm(options)
    for _ in range(options.rounds):
        for load, each in rows:
            load.run(options)
        for each in all_many:
            each.forget_created()
    print_rows(rows)
    print_memory(all_many)


def print_rows(rows):
    print("\n| | tokens | accounts | requests/s | nginx µs | by few | redis µs | by few | p50 µs | p99 µs |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for load, each in rows:
        ratios = {}
        for name in ("nginx", "redis"):
            ratio = load.against_floor(lambda own, few: own[name] / few[name] if few[name] > 0.5 else 0)
            ratios[name] = f"{ratio:.2f}" if ratio else ""
        print(f"| {load.name} | {each.count:,} | {len(each.accounts):,} | {load.median('rate'):,.0f} | {load.median('nginx'):.1f} | {ratios['nginx']} "
              f"| {load.median('redis'):.1f} | {ratios['redis']} | {load.median('p50'):.0f} | {load.median('p99'):.0f} |")


def print_memory(all_many):
    print("\n| tokens | accounts | bytes each | used_memory of the masters, MiB | resident, MiB |\n| --- | --- | --- | --- | --- |")
    for each in all_many:
        used, resident = ([f"{node.info('memory', name) / 2**20:,.0f}" for node in each.cluster.nodes] for name in ("used_memory", "used_memory_rss"))
        print(f"| {each.count:,} | {len(each.accounts):,} | {each.bytes:.0f} | {', '.join(used)} | {', '.join(resident)} |")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--tokens", type=int, default=10000000)
    options.add_argument("--seconds", type=int, default=2)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("module", type=Path)
    options = options.parse_args()
    bench_memory(options.module)
    bench_slots()
    with Servers("scale", options.module) as servers:
        bench_rows(servers, options)


main()
