"""What the benchmarks share: servers in a folder of their own, requests, and the rows of a table."""

import base64, contextlib, http.client, json, re, secrets, signal, socket, statistics, subprocess, sys, tempfile, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ACCOUNT = "013xrzp12g3nqk8ngskn1wtxgka5b0nf"

NGINX = """
load_module @module@;
daemon off; user root; worker_processes @processes@; pid @run@/pid; error_log @run@/error.log;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path @run@/1; proxy_temp_path @run@/2; fastcgi_temp_path @run@/3; uwsgi_temp_path @run@/4; scgi_temp_path @run@/5;
    api_token_redis @redis@ timeout=5s connect_timeout=5s;
    api_token_key @keys@/hs256.jwk;
    api_token_last_used @last_used@;
    @cache@
    server {
        listen 127.0.0.1:@port@ reuseport;
        location = /return { return 200 ok; }
        location = /bare { allow all; empty_gif; }
        location = /checked { auth_api_token bench; empty_gif; }
        location = /used { auth_api_token bench; api_token_last_used 1s; empty_gif; }
        location = /checked-es256 { auth_api_token bench; api_token_key @keys@/es256.pem; empty_gif; }
        location /api_token { api_token; api_token_caller account=$http_x_account; }
        location /es256/api_token { api_token; api_token_caller account=$http_x_account; api_token_key @keys@/es256.pem; }
    }
}
"""


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


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def cpu_seconds(pids):
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


class Servers(contextlib.ExitStack):
    """Processes that end with the benchmark, and keys for all its nginx."""

    def __init__(self, name, module):
        super().__init__()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix=f"api-token-{name}-")))
        self.module = module.resolve()
        self.secret = secrets.token_bytes(32)
        self.write("hs256.jwk", json.dumps({"kty": "oct", "k": base64url(self.secret)}))
        self.write("es256.pem", subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                                               check=True, capture_output=True, text=True).stdout)

    def write(self, name, text):
        path = self.folder / name
        path.touch(0o600)
        path.write_text(text)

    def spawn(self, *command):
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.callback(lambda: (process.terminate(), process.wait()))
        return process.pid

    def start_nginx(self, name, redis, redis_pids, cache="", processes=2, last_used="60s"):
        run, port = self.folder / name, free_port()
        run.mkdir()
        values = {"module": self.module, "keys": self.folder, "run": run, "port": port, "redis": redis, "cache": cache,
                  "processes": processes, "last_used": last_used}
        (run / "conf").write_text(re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), NGINX))
        master = self.spawn("nginx", "-c", run / "conf", "-e", run / "error.log")

        def workers():
            return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]

        wait_for(lambda: len(workers()) == processes)
        return {"port": port, "workers": workers(), "redis": redis_pids, "log": run / "error.log"}


def ask(port, method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def create(port, path="/api_token", account=ACCOUNT, details={"token_scope": "account"}):
    status, body = ask(port, "POST", path, details | {"expires_at": "2099-01-01T00:00:00Z"}, {"X-Account": account})
    if status != 200:
        sys.exit(f"create answers {status}: {body}")
    return json.loads(body)


class Load:
    """A row: what wrk sends, to which nginx."""

    def __init__(self, name, nginx, path, *arguments, floor=None):
        self.name, self.nginx, self.path, self.arguments, self.floor = name, nginx, path, arguments, floor
        self.samples = []

    def run(self, options):
        before = cpu_seconds(self.nginx["workers"]), cpu_seconds(self.nginx["redis"])
        out = subprocess.run(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}", "-s", HERE / "load.lua",
                              f"http://127.0.0.1:{self.nginx['port']}{self.path}", "--", *map(str, self.arguments)],
                             check=True, capture_output=True, text=True).stdout
        after = cpu_seconds(self.nginx["workers"]), cpu_seconds(self.nginx["redis"])
        count, seconds, bad, p50, p99 = map(float, re.search(r"RESULT (.+)", out)[1].split())
        if bad:
            sys.exit(f"{self.name}: {bad:.0f} of {count:.0f} answers are wrong\n{self.nginx['log'].read_text()[-2000:]}")
        self.samples.append({"rate": count / seconds, "nginx": 1e6 * (after[0] - before[0]) / count,
                             "redis": 1e6 * (after[1] - before[1]) / count, "p50": p50, "p99": p99})

    def median(self, key):
        return statistics.median(sample[key] for sample in self.samples)

    def against_floor(self, take):
        return statistics.median(take(own, floor) for own, floor in zip(self.samples, self.floor.samples)) if self.floor else None
