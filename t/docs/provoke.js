'use strict';
// Has nginx answer with an example of docs/openapi.yaml: what that takes, beside the request example of its name.

const assert = require('node:assert');
const { setTimeout: sleep } = require('node:timers/promises');
const { account, admins, redis, send } = require('./servers.js');

const environment = '013xrzp12g3nqk8nzxvq7jm2arsfg5h1';
const otherAccount = '013xrzp12g00000g0000000000000001';
const api = '/api/v1/api_token';
const end = '2099-01-01T00:00:00Z';
const json = { 'Content-Type': 'application/json' };

async function make(fields = {}, headers = {}) {
    const body = JSON.stringify({ token_scope: 'account', expires_at: end, ...fields });
    const answer = await send('maker', { method: 'POST', target: api, headers: { 'X-Account': account, ...json, ...headers }, body });
    assert.strictEqual(answer.status, '200', answer.body);
    const { details, token } = JSON.parse(answer.body);
    return { id: details.id, token };
}

async function change(id, action) {
    const answer = await send('maker', { method: 'POST', target: `${api}/${id}/${action}`, headers: { 'X-Account': account } });
    assert.strictEqual(answer.status, '200', answer.body);
}

const remove = (id) => send('maker', { method: 'DELETE', target: `${api}/${id}`, headers: { 'X-Account': account } });

async function expire() {
    // a second may end between this and the create
    const time = new Date(Date.now() + 3000).toISOString().replace(/\.\d+/, '');
    const made = await make({ expires_at: time });
    await sleep(Date.parse(time) + 20 - Date.now());
    return made;
}

const inEnvironment = () => make({ token_scope: 'environment', environment_id: environment });

const states = {
    active: () => make(),
    suspended: async () => { const made = await make(); await change(made.id, 'suspend'); return made; },
    revoked: async () => { const made = await make(); await change(made.id, 'revoke'); return made; },
    expired: expire,
    environment: inEnvironment,
    elsewhere: () => make({}, { 'X-Account': otherAccount }),
};

const callers = {
    nobody: () => ({}),
    token: async () => ({ Authorization: `Bearer ${(await make()).token}` }),
    environment: async () => ({ Authorization: `Bearer ${(await inEnvironment()).token}` }),
    admin: () => ({ Authorization: `Bearer ${admins()}` }),
    adminOfAccount: () => ({ Authorization: `Bearer ${admins({ account_id: account })}` }),
    revoked: async () => ({ Authorization: `Bearer ${(await states.revoked()).token}` }),
    staff: () => ({ Authorization: `Basic ${Buffer.from('deploy:secret').toString('base64')}` }),
};

// the state of the token that a request is about, by operation
const before = {
    retrieveApiToken: 'active', suspendApiToken: 'active', activateApiToken: 'suspended', revokeApiToken: 'active',
    deleteApiToken: 'revoked', introspectApiToken: 'active',
};
const wrongState = { suspendApiToken: 'suspended', activateApiToken: 'active', revokeApiToken: 'revoked', deleteApiToken: 'active' };

async function fourTokens() {
    await make({ expires_at: '2099-01-01T00:00:00Z' });
    const third = await make({ token_scope: 'environment', environment_id: environment, expires_at: '2099-01-02T00:00:00Z' });
    await make({ expires_at: '2099-01-03T00:00:00Z' });
    await make({ expires_at: '2099-01-04T00:00:00Z' });
    await change(third.id, 'suspend');
}

async function use(_, credentials) {
    const listed = await send('tokens', { method: 'GET', target: api, headers: credentials });
    const { id } = JSON.parse(listed.body).summaries[0];
    const record = `api_token:{${account.slice(10, 16)}}:token:${id}`;
    for (let i = 0; i < 500 && redis('HEXISTS', record, 'last_used_at') === '0'; i++) await sleep(20);
}

const key = 'deployment-1042';
const keyed = { 'Idempotency-Key': key };

async function suspendedByKey() {
    const made = await make({}, keyed);
    await change(made.id, 'suspend');
    return made;
}

async function deletedByKey() {
    const made = await make({}, keyed);
    await change(made.id, 'revoke');
    await remove(made.id);
}

// keys of another type than the module's
function spoil(made) {
    const prefix = `api_token:{${account.slice(10, 16)}}`;
    for (const name of [`${prefix}:account:${account}:inserted_at`, `${prefix}:token:${made?.id}`]) {
        redis('DEL', name);
        redis('SET', name, 'x');
    }
}

async function countable() {
    await make();
    await send('maker', { method: 'GET', target: api, headers: { 'X-Account': account } });
}

const wrong = (fields, headers) => ({ body: JSON.stringify({ token_scope: 'account', ...fields }), headers });
const otherOwner = {
    listApiTokens: { query: `account_id=${otherAccount}` },
    createApiToken: wrong({ account_id: otherAccount }),
};

const examples = {
    // lists
    own: { prepare: use },
    page: { caller: 'admin', prepare: fourTokens },
    empty: { caller: 'staff', server: 'staff' },
    bad_account: { query: 'account_id=42' },
    bad_sorting: { query: 'sorting=newest' },
    bad_offset: { query: 'pagination[offset]=-1' },
    bad_page_size: { query: 'pagination[page_size]=101' },
    unknown_parameter: { query: 'page=2' },
    parameter_twice: { query: 'sorting=expires_at&sorting=expires_at' },
    no_account: { caller: 'admin' },

    // creates
    by_admin: { caller: 'admin' },
    key_in_header: { prepare: suspendedByKey },
    not_json: { body: 'token_scope=account' },
    no_object: { body: '["account"]' },
    member_twice: { body: '{"token_scope": "account", "token_scope": "account"}' },
    misspelt: wrong({ expire_at: end }),
    nothing: { caller: 'admin', body: '{}' },
    several: wrong({ token_scope: 'accounts', account_id: '42', environment_id: '7', expires_at: 'tomorrow', idempotency_key: '' }),
    no_environment: wrong({ token_scope: 'environment' }),
    unwanted_environment: wrong({ environment_id: environment }),
    other_environment: wrong({ token_scope: 'environment', environment_id: otherAccount }),
    past: wrong({ expires_at: '2020-01-01T00:00:00Z' }),
    too_late: wrong({ expires_at: '9999-01-01T00:00:00Z' }),
    beside_details: { body: '{"details": "account", "token_scope": "account"}' },
    key_with_control: wrong({ idempotency_key: 'a\tb' }),
    key_not_utf8: wrong({}, { 'Idempotency-Key': 'd\xe9ploiement' }),
    two_keys: wrong({ idempotency_key: 'one' }, { 'Idempotency-Key': 'another' }),
    key_of_other: { ...wrong({ expires_at: '2098-01-01T00:00:00Z' }, keyed), prepare: () => make({}, keyed) },
    key_of_deleted: { ...wrong({ expires_at: end }, keyed), prepare: deletedByKey },

    // one token
    active: { state: 'active' },
    suspended: { state: 'suspended' },
    revoked: { state: 'revoked' },
    expired: { state: 'expired' },
    not_allowed: { state: wrongState },
    unknown_id: { change: (id) => `${id.slice(0, 24)}00000000` },
    of_other_account: { state: 'elsewhere' },
    no_id: { change: () => '42' },
    unwanted_body: { body: '{"reason": "left"}' },

    // introspection, keys, metrics
    of_environment: { state: 'environment' },
    no_token: { body: 'tokens=1' },
    unchanged: { etag: true },
    counted: { prepare: countable },

    // all
    no_credentials: { caller: 'nobody' },
    bad_token: { caller: 'revoked' },
    no_password: { caller: 'nobody', server: 'staff' },
    environment_token: { caller: 'environment' },
    other_account: otherOwner,
    put: { method: 'PUT' },
    unreadable: { body: 'zz\r\n', headers: { 'Transfer-Encoding': 'chunked' } },
    too_large: { body: ' '.repeat(1025) },
    media_type: { headers: { 'Content-Type': 'text/plain' } },
    fault: { prepare: spoil },
    store: { caller: 'adminOfAccount', server: 'alone' },
    not_replicated: { server: 'unreplicated' },
    busy: { server: 'busy', repeat: 2 },
    refused: { server: 'refusing', repeat: 2 },
};

const bytes = (text) => Buffer.from(text).toString('latin1');

function requestBody(operation, name, made) {
    const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    if (!type) return {};
    const { value } = media.examples[name] ?? Object.values(media.examples)[0];
    const isForm = type === 'application/x-www-form-urlencoded';
    const body = isForm ? new URLSearchParams({ ...value, ...(value.token.includes('.') && { token: made.token }) }).toString()
        : JSON.stringify(value);
    return { headers: { 'Content-Type': type }, body: bytes(body) };
}

function parametersIn(place, operation, name) {
    const given = (operation.parameters ?? []).filter((parameter) => parameter.in === place && parameter.examples?.[name]);
    return Object.fromEntries(given.map((parameter) => [parameter.name, String(parameter.examples[name].value)]));
}

function targetOf({ path, operation, name }, example, made) {
    const id = example.change ? example.change(made.id) : made?.id;
    const query = example.query ?? new URLSearchParams(parametersIn('query', operation, name)).toString();
    return path.replace('{id}', id) + (query && `?${query}`);
}

async function entityTag(path) {
    const { headers } = await send('tokens', { method: 'GET', target: path, headers: {} });
    return { 'If-None-Match': new Map(headers).get('etag') };
}

// `subject`: {path, method, operation, name}; resolves to the answer, and the token that it is about
async function provoke(subject) {
    const { path, operation, name } = subject;
    const { operationId } = operation;
    const example = examples[name]?.[operationId] ?? examples[name] ?? {};
    redis('FLUSHALL');
    const credentials = operation.security?.length === 0 ? {} : await callers[example.caller ?? 'token']();
    const state = example.state?.[operationId] ?? example.state ?? before[operationId];
    const subjectToken = state && await states[state]();
    const made = await example.prepare?.(subjectToken, credentials) ?? subjectToken;
    const said = requestBody(operation, name, made);
    const request = {
        method: example.method ?? subject.method.toUpperCase(),
        target: targetOf(subject, example, made),
        headers: {
            ...said.headers, ...credentials, ...parametersIn('header', operation, name), ...(example.etag && await entityTag(path)), ...example.headers,
        },
        body: example.body ?? said.body,
    };
    let answer;
    for (let i = 0; i < (example.repeat ?? 1); i++) answer = await send(example.server ?? 'tokens', request);
    return { answer, made };
}

module.exports = { examples, provoke };
