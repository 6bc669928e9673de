#!/usr/bin/env python3
"""What the module costs: requests per second, CPU per request, latency, beside nginx's own floors in the same run.

    bench.py [--seconds 3] [--rounds 5] [--connections 32] MODULE.so

Rows take turns; differences and ratios are taken within a round, then their median. All runs on loopback, with a
redis-server of its own that keeps nothing on disk."""

import argparse, base64, http.client, json, re, secrets, socket, statistics, subprocess, sys, tempfile, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ACCOUNT = "013xrzp12g3nqk8ngskn1wtxgka5b0nf"
TOKENS, LISTED, TRIES = 1000, 10000, 50

NGINX = """
load_module @module@;
daemon off; user root; worker_processes 2; pid @run@/pid; error_log @run@/error.log;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path @run@/1; proxy_temp_path @run@/2; fastcgi_temp_path @run@/3; uwsgi_temp_path @run@/4; scgi_temp_path @run@/5;
    api_token_redis unix:@redis@;
    api_token_key @keys@/hs256.jwk;
    @cache@
    server {
        listen 127.0.0.1:@port@ reuseport;
        location = /return { return 200 ok; }
        location = /bare { allow all; empty_gif; }
        location = /checked { auth_api_token bench; empty_gif; }
        location = /checked-es256 { auth_api_token bench; api_token_key @keys@/es256.pem; empty_gif; }
        location /api_token { api_token; api_token_caller account=$ACCOUNT; }
        location /es256/api_token { api_token; api_token_caller account=$ACCOUNT; api_token_key @keys@/es256.pem; }
    }
}
""".replace("$ACCOUNT", ACCOUNT)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            sys.exit("a server does not start")
        time.sleep(0.02)


def cpu_seconds(pids):
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


class Servers:
    """A redis-server and two nginx on it, the second without a cache."""

    def __init__(self, folder, module):
        self.folder, self.processes = folder, []
        self.redis_socket = folder / "redis.sock"
        self.redis = self.spawn("redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--save", "", "--dir", folder)
        wait_for(self.redis_socket.exists)
        secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        self.write("hs256.jwk", json.dumps({"kty": "oct", "k": secret}))
        self.write("es256.pem", subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                                               check=True, capture_output=True, text=True).stdout)
        values = {"module": module, "redis": self.redis_socket, "keys": folder}
        self.cached = self.start_nginx("cached", values | {"cache": "api_token_cache zone=bench:16m;"})
        self.uncached = self.start_nginx("uncached", values | {"cache": ""})

    def write(self, name, text):
        path = self.folder / name
        path.touch(0o600)
        path.write_text(text)

    def spawn(self, *command):
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process.pid

    def start_nginx(self, name, values):
        run, port = self.folder / name, free_port()
        run.mkdir()
        (run / "conf").write_text(re.sub(r"@(\w+)@", lambda match: str((values | {"run": run, "port": port})[match[1]]), NGINX))
        master = self.spawn("nginx", "-c", run / "conf", "-e", run / "error.log")

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listens)
        workers = subprocess.run(["pgrep", "-P", str(master)], check=True, capture_output=True, text=True).stdout
        return {"port": port, "workers": [int(pid) for pid in workers.split()]}

    def redis_cli(self, *words):
        return subprocess.run(["redis-cli", "-s", self.redis_socket, *words], check=True, capture_output=True, text=True).stdout

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


def ask(port, method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def create(port, path="/api_token"):
    status, body = ask(port, "POST", path, {"token_scope": "account", "expires_at": "2099-01-01T00:00:00Z"})
    if status != 200:
        sys.exit(f"create answers {status}: {body}")
    return json.loads(body)


class Load:
    """A row: what wrk sends, to which nginx."""

    def __init__(self, name, nginx, path, *arguments, floor=None):
        self.name, self.nginx, self.path, self.arguments, self.floor = name, nginx, path, arguments, floor
        self.samples = []

    def run(self, servers, options):
        before = cpu_seconds(self.nginx["workers"]), cpu_seconds([servers.redis])
        out = subprocess.run(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}", "-s", HERE / "load.lua",
                              f"http://127.0.0.1:{self.nginx['port']}{self.path}", "--", *map(str, self.arguments)],
                             check=True, capture_output=True, text=True).stdout
        after = cpu_seconds(self.nginx["workers"]), cpu_seconds([servers.redis])
        count, seconds, bad, p50, p99 = map(float, re.search(r"RESULT (.+)", out)[1].split())
        if bad:
            sys.exit(f"{self.name}: {bad:.0f} of {count:.0f} answers are wrong")
        self.samples.append({"rate": count / seconds, "nginx": 1e6 * (after[0] - before[0]) / count,
                             "redis": 1e6 * (after[1] - before[1]) / count, "p50": p50, "p99": p99})

    def median(self, key):
        return statistics.median(sample[key] for sample in self.samples)

    def against_floor(self, take):
        return statistics.median(take(own, floor) for own, floor in zip(self.samples, self.floor.samples)) if self.floor else None


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
        ask(servers.uncached["port"], "POST", f"/api_token/{made['details']['id']}/revoke")
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
    options.add_argument("module", type=Path)
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="api-token-bench-") as folder:
        servers = Servers(Path(folder), options.module.resolve())
        try:
            run(servers, options)
        finally:
            servers.stop()


def run(servers, options):
    cached, uncached, folder = servers.cached, servers.uncached, servers.folder
    for name, path in (("hs256", "/api_token"), ("es256", "/es256/api_token")):
        (folder / name).write_text("".join(create(cached["port"], path)["token"] + "\n" for _ in range(TOKENS)))
    for _ in range(LISTED - 2 * TOKENS):
        create(cached["port"])
    plain = Load("return 200", cached, "/return")
    bare = Load("empty_gif, allow all", cached, "/bare", "tokens", folder / "hs256")
    bare_es256 = Load("the same, asked with ES256 tokens", cached, "/bare", "tokens", folder / "es256")
    rows = [plain, bare, bare_es256,
            Load("check, HS256, in the cache", cached, "/checked", "tokens", folder / "hs256", floor=bare),
            Load("check, ES256, in the cache", cached, "/checked-es256", "tokens", folder / "es256", floor=bare_es256),
            Load("check, HS256, without a cache", uncached, "/checked", "tokens", folder / "hs256", floor=bare),
            Load(f"list, 20 of {LISTED:,}", cached, "/api_token", floor=plain),
            Load("create", cached, "/api_token", "create", ACCOUNT, floor=plain)]
    for _ in range(options.rounds):
        for row in rows:
            row.run(servers, options)
    table(rows)
    bench_redis(servers, options)
    bench_revocation(servers)


main()
