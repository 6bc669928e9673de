// A Redis and an nginx with the module, for one file of tests; both end with it.
// MODULE=FILE: the module; NGINX_BINARY=FILE: the nginx that it was built for

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

export const issuer = 'https://tokens.example';
export const audience = 'interop';
export const account = '013xrzp12g3nqk8ngskn1wtxgka5b0nf';
export const environment = '013xrzp12g3nqk8nzxvq7jm2arsfg5h1';
export const adminUser = '013xrzp12g3nqk8nh0qrc2b1jfanmvb9';

const dir = mkdtempSync(join(tmpdir(), 'api-token-interop-'));
const children = [];
let port;

export async function waitFor(what, condition) {
    for (const end = Date.now() + 10_000; Date.now() < end; await pause(20))
        if (await condition()) return;
    assert.fail(`it does not come true: ${what}`);
}

function start(command, args, log) {
    const child = spawn(command, args, { stdio: ['ignore', log, log] });
    child.on('error', (error) => console.error(`${command}: ${error.message}`));
    child.ended = new Promise((done) => child.once('close', done));
    children.push(child);
    return child;
}

async function isUp(child, condition) {
    await waitFor(child.spawnfile, () => {
        assert.ok(child.pid && child.exitCode === null, `${child.spawnfile} ended`);
        return condition();
    });
}

function answersPing(path) {
    return new Promise((done) => {
        const socket = net.connect(path, () => socket.write('PING\r\n'));
        socket.once('error', () => done(false));
        socket.once('data', (data) => { socket.destroy(); done(`${data}`.startsWith('+PONG')); });
    });
}

function freePort() {
    return new Promise((done) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}

function configuration(locations) {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path tmp;`);
    return `
load_module ${resolve(process.env.MODULE)};
daemon off; worker_processes 2; pid nginx.pid;
events { }
http {
    access_log off;
    ${temporary.join(' ')}
    api_token_redis unix:${dir}/redis.sock;
    api_token_issuer ${issuer};
    api_token_audience ${audience};
    api_token_cache zone=tokens:4m;
    root ${dir}/www;
    server { listen 127.0.0.1:${port}; ${locations} }
}
`;
}

/** The file of a key: a JWK, a JWK set or PEM. */
export function writeKey(name, key) {
    writeFileSync(join(dir, name), typeof key === 'string' ? key : JSON.stringify(key), { mode: 0o600 });
    return join(dir, name);
}

let nginx;

/** Starts both servers, nginx with these locations. */
export async function serve(locations) {
    chmodSync(dir, 0o711);
    mkdirSync(join(dir, 'www'), { mode: 0o755 });
    writeFileSync(join(dir, 'www/hello'), 'hello\n', { mode: 0o644 });
    const socket = join(dir, 'redis.sock');
    const redis = start('redis-server', ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '777',
        '--save', '', '--appendonly', 'no', '--dir', dir], 'ignore');
    await isUp(redis, () => answersPing(socket));
    port = await freePort();
    writeFileSync(join(dir, 'nginx.conf'), configuration(locations));
    nginx = start(process.env.NGINX_BINARY ?? '/usr/sbin/nginx', ['-p', dir, '-c', 'nginx.conf', '-e', 'error.log'], 'inherit');
    await isUp(nginx, () => existsSync(join(dir, 'nginx.pid')) && workers().length === 2);
}

const workers = () => readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8').split(' ').filter(Boolean);

/** Has nginx read its configuration and its keys again, and waits until the old workers are gone. */
export async function reload() {
    const old = workers();
    nginx.kill('SIGHUP');
    await waitFor('a reload', () => workers().length === 2 && !workers().some((pid) => old.includes(pid)));
}

after(async () => {
    for (const child of children.reverse()) {
        child.kill('SIGTERM');
        await child.ended;
    }
    const log = existsSync(join(dir, 'error.log')) ? readFileSync(join(dir, 'error.log'), 'utf8') : '';
    rmSync(dir, { recursive: true });
    assert.doesNotMatch(log, /\[(alert|emerg|crit)\]/);
});
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

export const url = (path) => new URL(`http://127.0.0.1:${port}${path}`);

/** An answer's status and its body, which is JSON but for a file. */
export function call(method, path, { token, body } = {}) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    if (body) headers['Content-Type'] = 'application/json';
    return new Promise((done, failed) => {
        const request = http.request(url(path), { method, headers, agent: false }, async (response) => {
            let text = '';
            for await (const piece of response.setEncoding('utf8')) text += piece;
            const isJson = response.headers['content-type'] === 'application/json';
            done({ status: response.statusCode, body: isJson ? JSON.parse(text) : text });
        });
        request.once('error', failed);
        request.end(body && JSON.stringify(body));
    });
}

/** A new token, made by the API at this path. */
export async function create(path, body = {}, token) {
    const answer = await call('POST', path, { token, body: { token_scope: 'account', ...body } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
}
