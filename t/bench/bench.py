#!/usr/bin/env python3
"""What the module costs: requests per second, CPU per request, latency, beside nginx's own floors in the same run.

    bench.py [--seconds 3] [--rounds 5] [--connections 32] [--workers 2] MODULE.so

Rows take turns; differences and ratios are taken within a round, then their median. All runs on loopback, with a
redis-server of its own that keeps nothing on disk."""

import argparse, http.client, re, statistics, subprocess, sys, time
from pathlib import Path

from measure import ACCOUNT, Load, Servers, ask, cpu_seconds, create, wait_for

TOKENS, LISTED, TRIES = 1000, 10000, 50


class Bench(Servers):
    """A redis-server and two nginx on it, the second without a cache."""

    def __init__(self, module, workers):
        super().__init__("bench", module)
        self.redis_socket = self.folder / "redis.sock"
        self.redis = self.spawn("redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--save", "", "--dir", self.folder)
        wait_for(self.redis_socket.exists)
        redis = f"unix:{self.redis_socket}", [self.redis]
        self.cached = self.start_nginx("cached", *redis, "api_token_cache zone=bench:16m;", processes=workers)
        self.uncached = self.start_nginx("uncached", *redis, processes=workers)


def table(rows):
    print("| row | requests/s | of its floor | nginx µs | over its floor | redis µs | p50 µs | p99 µs |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        ratio = row.against_floor(lambda own, floor: own["rate"] / floor["rate"])
        over = row.against_floor(lambda own, floor: own["nginx"] - floor["nginx"])
        print(f"| {row.name} | {row.median('rate'):,.0f} | {'' if ratio is None else f'{ratio:.2f}'} | {row.median('nginx'):.1f} "
              f"| {'' if over is None else f'{over:+.1f}'} | {row.median('redis'):.1f} | {row.median('p50'):.0f} | {row.median('p99'):.0f} |")


def script_of_create(servers):
    """The command that a create sends, as redis-benchmark takes it, with another id each time."""
    monitor = subprocess.Popen(["redis-cli", "-s", servers.redis_socket, "MONITOR"], stdout=subprocess.PIPE, text=True)
    monitor.stdout.readline()
    create(servers.cached["port"])
    for line in monitor.stdout:
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
        if words and words[0] == "EVALSHA" and ":account:" in line:
            monitor.kill()
            monitor.wait()
            token_id = words[3][-32:]
            return [word.replace(token_id, token_id[:20] + "__rand_int__") for word in words]


def bench_redis(servers, options):
    command = script_of_create(servers)
    rates = []
    for _ in range(options.rounds):
        before = cpu_seconds([servers.redis])
        out = subprocess.run(["redis-benchmark", "-s", servers.redis_socket, "-c", str(options.connections), "-P", "8", "-n", "200000",
                              "-r", "100000000", "--csv", *command], check=True, capture_output=True, text=True).stdout
        rates.append((float(out.splitlines()[-1].split('","')[1].strip('"')), 5 * (cpu_seconds([servers.redis]) - before)))
    rate, cpu = (statistics.median(column) for column in zip(*rates))
    print(f"\nredis-benchmark with the script of a create, pipelines of 8: {rate:,.0f} a second, {cpu:.1f} µs of Redis each\n")


def bench_revocation(servers):
    """From the answer to a revocation at one nginx to the first refusal at the other, which has a cache, too."""
    other, delays = servers.cached["port"], []
    for _ in range(TRIES):
        made = create(servers.uncached["port"])
        connection = http.client.HTTPConnection("127.0.0.1", other, timeout=10)
        headers = {"Authorization": "Bearer " + made["token"]}

        def status():
            connection.request("GET", "/checked", headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

        if [status(), status()] != [200, 200]:
            sys.exit("a new token is refused")
        ask(servers.uncached["port"], "POST", f"/api_token/{made['details']['id']}/revoke", headers={"X-Account": ACCOUNT})
        revoked, last = time.monotonic(), None
        while status() == 200:
            last = time.monotonic()
        delays.append(1000 * (last - revoked) if last else 0)
    print(f"Last acceptance at another nginx after the answer to a revocation: {statistics.median(delays):.1f} ms median, "
          f"{max(delays):.1f} ms at worst, of {TRIES}")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("module", type=Path)
    options = options.parse_args()
    with Bench(options.module, options.workers) as servers:
        run(servers, options)


def run(servers, options):
    cached, uncached, folder = servers.cached, servers.uncached, servers.folder
    for name, path in (("hs256", "/api_token"), ("es256", "/es256/api_token")):
        (folder / name).write_text("".join(create(cached["port"], path)["token"] + "\n" for _ in range(TOKENS)))
    for _ in range(LISTED - 2 * TOKENS):
        create(cached["port"])
    (folder / "account").write_text(ACCOUNT + "\n")
    plain = Load("return 200", cached, "/return")
    bare = Load("empty_gif, allow all", cached, "/bare", "tokens", folder / "hs256")
    bare_es256 = Load("the same, asked with ES256 tokens", cached, "/bare", "tokens", folder / "es256")
    rows = [plain, bare, bare_es256,
            Load("check, HS256, in the cache", cached, "/checked", "tokens", folder / "hs256", floor=bare),
            Load("check, ES256, in the cache", cached, "/checked-es256", "tokens", folder / "es256", floor=bare_es256),
            Load("check, HS256, without a cache", uncached, "/checked", "tokens", folder / "hs256", floor=bare),
            Load(f"list, 20 of {LISTED:,}", cached, "/api_token", "accounts", folder / "account", floor=plain),
            Load("create", cached, "/api_token", "create", folder / "account", floor=plain)]
    for _ in range(options.rounds):
        for row in rows:
            row.run(options)
    table(rows)
    bench_redis(servers, options)
    bench_revocation(servers)


main()
