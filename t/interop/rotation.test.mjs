// Keys are rotated while tokens are made, and whoever verifies by the URL of the keys never sees a wrong one.

import assert from 'node:assert/strict';
import http from 'node:http';
import { before, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';

import { makeJwk, publicHalf } from './keys.mjs';
import { account, audience, call, create, issuer, reload, serve, url, writeKey } from './servers.mjs';

const names = ['ES256', 'RS256'];
const oldKey = Object.fromEntries(names.map((name) => [name, makeJwk(name, 'old')]));
const newKey = Object.fromEntries(names.map((name) => [name, makeJwk(name, 'new')]));

before(() => serve(names.map((name) => `
    location /${name}/ {
        api_token_key ${writeKey(name, oldKey[name])};
        location = /${name}/jwks { api_token_jwks; }
        location /${name}/tokens { api_token; api_token_caller account=${account}; }
        location = /${name}/file { auth_api_token interop; try_files /hello =404; }
    }`).join('')));

const keysAt = (name) => createRemoteJWKSet(url(`/${name}/jwks`), { agent: new http.Agent(), cooldownDuration: 0 });

/** Makes so many tokens, ten at a time, each verified as soon as it is there; answers them. */
async function make(name, keys, count) {
    const tokens = [];
    const one = async () => {
        while (tokens.length < count) {
            const place = tokens.push(null) - 1;
            const { token, details } = await create(`/${name}/tokens`);
            const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, algorithms: [name] });
            assert.equal(payload.jti, details.id);
            tokens[place] = { token, kid: protectedHeader.kid };
        }
    };
    await Promise.all(Array.from({ length: 10 }, one));
    return tokens;
}

async function rotate(name, ...keys) {
    writeKey(name, { keys });
    await reload();
}

const kids = (tokens) => [...new Set(tokens.map(({ kid }) => kid))];

for (const name of names)
    test(`${name}: 1,000 tokens and a rotation among them`, async () => {
        const keys = keysAt(name);
        const tokens = await make(name, keys, 250);
        for (const order of [[oldKey[name], newKey[name]], [newKey[name], oldKey[name]]]) {
            const [made] = await Promise.all([make(name, keys, 250), rotate(name, ...order)]);
            tokens.push(...made);
        }
        assert.deepEqual(kids(tokens.slice(0, 500)), ['old'], 'the second key of two does not sign');
        const last = await make(name, keys, 250);
        assert.deepEqual(kids(last), ['new'], 'after the rotation');
        tokens.push(...last);

        assert.equal(new Set(tokens.map(({ token }) => token)).size, 1000);
        for (const { token } of tokens) await jwtVerify(token, keys, { issuer, audience });
        assert.equal((await call('GET', `/${name}/file`, { token: tokens[0].token })).status, 200);
    });

test('a key that is taken out is out', async () => {
    for (const name of names) {
        const [{ token }] = await make(name, keysAt(name), 1);
        await rotate(name, oldKey[name]);
        assert.deepEqual((await call('GET', `/${name}/jwks`)).body, { keys: [{ ...publicHalf(oldKey[name]), use: 'sig' }] });
        await assert.rejects(jwtVerify(token, keysAt(name)), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
        assert.equal((await call('GET', `/${name}/file`, { token })).status, 401);
    }
});
