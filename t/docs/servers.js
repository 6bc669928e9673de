'use strict';
// A redis-server, an nginx with several servers of the module, and requests to them.

const { execFileSync, spawn } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const account = '013xrzp12g3nqk8ngskn1wtxgka5b0nf';
const adminUser = '013xrzp12g3nqk8nh0qrc2b1jfanmvb9';
const adminSecret = crypto.randomBytes(32);
const children = [];
let dir;

function signAdmin(claims) {
    const encode = (text) => Buffer.from(text).toString('base64url');
    const input = `${encode('{"alg":"HS256","typ":"JWT"}')}.${encode(JSON.stringify(claims))}`;
    return `${input}.${crypto.createHmac('sha256', adminSecret).update(input).digest('base64url')}`;
}

const admins = (claims) => signAdmin({ sub: adminUser, exp: Math.floor(Date.now() / 1000) + 3600, ...claims });

function writeFiles() {
    const { jwk } = JSON.parse(fs.readFileSync(path.join(__dirname, '../data/keys.json')));
    const write = (name, text) => fs.writeFileSync(path.join(dir, name), text, { mode: 0o600 });
    write('hs256.jwk', JSON.stringify(jwk.hs256));
    write('admin.jwk', JSON.stringify({ kty: 'oct', k: adminSecret.toString('base64url') }));
    write('public.jwks', JSON.stringify({ keys: [{ ...jwk.es256, kid: '2026-11' }, { ...jwk.eddsa, kid: '2026-05' }] }));
    write('htpasswd', 'deploy:{PLAIN}secret\n');
    write('nginx.conf', configuration());
}

const byToken = 'auth_api_token "example"; api_token_admin_key admin.jwk;';
const byPassword = `auth_basic "staff"; auth_basic_user_file htpasswd; api_token_caller account=${account};`;

const server = (name, callers, more = '') => `
    server {
        listen unix:${dir}/${name}.sock;
        ${more}
        location /api/v1/api_token { api_token; ${callers} }
        location = /introspect { api_token_introspect; ${callers} }
        location = /.well-known/jwks.json { api_token_jwks; api_token_key public.jwks; }
        location = /metrics { api_token_metrics; }
    }`;

const configuration = () => `
${process.env.MODULE ? `load_module ${process.env.MODULE};` : ''}
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
pid nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    client_max_body_size 1k;
    limit_req_zone $server_addr$server_port zone=busy:64k rate=1r/m;
    limit_req_zone $server_addr$server_port zone=refusing:64k rate=1r/m;

    api_token_redis unix:${dir}/redis.sock;
    api_token_key hs256.jwk;
    api_token_issuer https://tokens.example;
    api_token_audience https://api.example;
    api_token_max_ttl 36500d;
    api_token_cache zone=tokens:1m;
    ${server('tokens', byToken)}
    ${server('staff', byPassword)}
    ${server('maker', 'api_token_caller account=$http_x_account;')}
    ${server('alone', byToken, `api_token_redis unix:${dir}/nothing.sock;`)}
    ${server('unreplicated', byToken, `api_token_redis unix:${dir}/redis.sock wait=1 timeout=300ms;`)}
    ${server('busy', byToken, 'limit_req zone=busy;')}
    ${server('refusing', byToken, 'limit_req zone=refusing; limit_req_status 429;')}
}
`;

async function run(command, args, isThere) {
    const child = spawn(command, args, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    child.ended = new Promise((resolve) => child.once('close', resolve));
    children.unshift(child);
    for (let i = 0; i < 500 && child.exitCode === null; i++) {
        if (isThere()) return;
        await sleep(20);
    }
    throw new Error(`${command} does not start`);
}

async function start() {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'api-token-'));
    writeFiles();
    await run('redis-server', ['--port', '0', '--unixsocket', 'redis.sock', '--save', '', '--appendonly', 'no'],
        () => fs.existsSync(`${dir}/redis.sock`) && redis('PING') === 'PONG');
    // its pid is written when it listens
    await run(process.env.NGINX_BINARY ?? '/usr/sbin/nginx', ['-p', dir, '-c', 'nginx.conf', '-e', 'error.log'],
        () => fs.existsSync(`${dir}/nginx.pid`) && fs.statSync(`${dir}/nginx.pid`).size > 0);
}

async function stop() {
    for (const child of children) {
        child.kill();
        await child.ended;
    }
    fs.rmSync(dir, { recursive: true });
}

function redis(...args) {
    return execFileSync('redis-cli', ['-s', `${dir}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
}

function parse(text) {
    const end = text.indexOf('\r\n\r\n');
    const [statusLine, ...lines] = text.slice(0, end).split('\r\n');
    const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
    return { status: statusLine.split(' ')[1], headers, body: text.slice(end + 4) };
}

// `body` and the values of `headers` are texts of bytes
function send(serverName, { method, target, headers, body = '' }) {
    const length = 'Transfer-Encoding' in headers ? {} : { 'Content-Length': body.length };
    const all = Object.entries({ Host: 'localhost', Connection: 'close', ...length, ...headers });
    const text = `${method} ${target} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
    return new Promise((resolve, reject) => {
        const pieces = [];
        const peer = net.connect(`${dir}/${serverName}.sock`, () => peer.write(text, 'latin1'));
        peer.setTimeout(10000, () => peer.destroy(new Error('no answer')));
        peer.on('data', (piece) => pieces.push(piece));
        peer.on('error', reject);
        peer.on('end', () => resolve(parse(Buffer.concat(pieces).toString('latin1'))));
    });
}

module.exports = { account, admins, redis, send, start, stop };
