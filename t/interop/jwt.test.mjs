// jose verifies what we sign, and we what it signs, in every algorithm.

import assert from 'node:assert/strict';
import http from 'node:http';
import { before, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, importJWK, jwtVerify, SignJWT } from 'jose';

import { algorithms, isSecret, makeJwk, makePrivateKey, publicAlgorithms, publicHalf } from './keys.mjs';
import { account, adminUser, audience, call, create, environment, issuer, serve, url, writeKey } from './servers.mjs';

const keyOf = Object.fromEntries(algorithms.map((name) => [name, makeJwk(name, `key of ${name}`)]));
const adminKeyOf = Object.fromEntries(algorithms.map((name) => [name, makeJwk(name, `admins' ${name}`)]));
const pemAlgorithms = ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const adminClaims = { iss: 'https://admins.example', aud: 'gateway', sub: adminUser };

function place(name, directives) {
    return `
location /${name}/ {
    ${directives}
    location = /${name}/jwks { api_token_jwks; }
    location /${name}/tokens { api_token; api_token_caller account=any; }
    location /${name}/callers { api_token; auth_api_token interop; }
    location = /${name}/file { auth_api_token interop; try_files /hello =404; }
}
`;
}

function locations() {
    const files = algorithms.map((name) => writeKey(name, keyOf[name]));
    const each = algorithms.map((name, i) => place(name, `api_token_key ${files[i]};
        api_token_admin_key ${writeKey(`admin-${name}`, publicHalf(adminKeyOf[name]))} issuer=${adminClaims.iss} audience=${adminClaims.aud};`));
    const pems = pemAlgorithms.map((name) => {
        const pem = makePrivateKey(name).export({ type: 'pkcs8', format: 'pem' });
        return place(`pem/${name}`, `api_token_key ${writeKey(`${name}.pem`, pem)};`);
    });
    return each.join('') + pems.join('') + place('all', files.map((file) => `api_token_key ${file};`).join(' '));
}

before(() => serve(locations()));

const keysAt = (name) => createRemoteJWKSet(url(`/${name}/jwks`), { agent: new http.Agent() });
const expected = { issuer, audience, typ: 'JWT', subject: account };

async function newToken(name, scope) {
    const more = scope === 'environment' ? { environment_id: environment } : {};
    return create(`/${name}/tokens`, { token_scope: scope, account_id: account, ...more });
}

function claimsOf(details) {
    const { id: jti, token_scope, environment_id } = details;
    const claims = { iss: issuer, aud: audience, sub: account, jti, token_scope };
    claims.iat = Date.parse(details.inserted_at) / 1000;
    claims.exp = Date.parse(details.expires_at) / 1000;
    return environment_id ? { ...claims, environment_id } : claims;
}

/** The same token, with an end that is a second later. */
function changed(token) {
    const [header, claims, signature] = token.split('.');
    const later = JSON.stringify({ ...decodeJwt(token), exp: decodeJwt(token).exp + 1 });
    return [header, Buffer.from(later).toString('base64url'), signature].join('.');
}

async function verifies(algorithm, keys, { token, details }) {
    const { payload, protectedHeader } = await jwtVerify(token, keys, { ...expected, algorithms: [algorithm] });
    assert.deepEqual(payload, claimsOf(details));
    await assert.rejects(jwtVerify(changed(token), keys), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
    return protectedHeader;
}

const status = async (path, token) => (await call('GET', path, { token })).status;
const sign = async (claims, header, jwk) => new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(jwk, header.alg));

for (const alg of algorithms) {
    const { kid } = keyOf[alg];

    test(`${alg}: jose verifies our tokens`, async () => {
        for (const scope of ['account', 'environment']) {
            const made = await newToken(alg, scope);
            const sources = isSecret(alg) ? [Buffer.from(keyOf[alg].k, 'base64url')] : [keysAt(alg), keysAt('all')];
            for (const source of sources)
                assert.deepEqual(await verifies(alg, source, made), { alg, typ: 'JWT', kid });
        }
    });

    test(`${alg}: what jose signs is an API token, of a caller too`, async () => {
        const { token, details } = await newToken(alg, 'account');
        const claims = decodeJwt(token);
        const other = makeJwk(alg, kid);
        const strange = { ...claims, jti: details.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')) };
        for (const header of [{ alg, typ: 'JWT', kid }, { alg }, { kid, alg, typ: 'at+jwt' }]) {
            const signed = await sign(claims, header, keyOf[alg]);
            assert.equal(await status(`/${alg}/file`, signed), 200, JSON.stringify(header));
            const listed = await call('GET', `/${alg}/callers`, { token: signed });
            assert.ok(listed.body.summaries.some(({ id }) => id === details.id), 'its own list');
            assert.equal((await create(`/${alg}/callers`, {}, signed)).details.account_id, account);
            for (const bad of [changed(signed), await sign(claims, header, other), await sign(strange, header, keyOf[alg])])
                assert.equal(await status(`/${alg}/file`, bad), 401);
        }
        assert.equal((await call('POST', `/${alg}/tokens/${details.id}/revoke`)).status, 200);
        assert.equal(await status(`/${alg}/file`, await sign(claims, { alg }, keyOf[alg])), 401, 'revoked');
    });

    test(`${alg}: what jose signs is an admin's`, async () => {
        const header = { alg, kid: adminKeyOf[alg].kid };
        const signed = (claims, jwk = adminKeyOf[alg]) => sign({ ...adminClaims, ...claims }, { ...header, kid: jwk.kid }, jwk);
        const exp = Math.floor(Date.now() / 1000) + 600;
        const any = await create(`/${alg}/callers`, { account_id: account }, await signed({ exp }));
        const one = await create(`/${alg}/callers`, {}, await signed({ exp, account_id: account }));
        for (const { details } of [any, one])
            assert.deepEqual([details.created_by_admin_user_id, details.account_id], [adminUser, account]);
        assert.equal(await status(`/${alg}/file`, await signed({ exp })), 200);
        const refused = [{ exp: exp - 601 }, {}, { exp, nbf: exp }, { exp, aud: 'other' }, { exp, iss: issuer }, { exp, sub: 'admin' }];
        for (const claims of refused)
            assert.equal(await status(`/${alg}/file`, await signed(claims)), 401, JSON.stringify(claims));
        assert.equal(await status(`/${alg}/file`, await signed({ exp }, keyOf[alg])), 401, 'the key of API tokens');
        assert.equal(await status(`/${alg}/file`, changed(await signed({ exp }))), 401, 'changed');
    });
}

for (const alg of pemAlgorithms)
    test(`${alg}: a PEM key, which has no kid`, async () => {
        assert.deepEqual(await verifies(alg, keysAt(`pem/${alg}`), await newToken(`pem/${alg}`, 'account')), { alg, typ: 'JWT' });
    });

test('the URL of the keys has all public halves, and nothing of a secret', async () => {
    const answer = await call('GET', '/all/jwks');
    const halves = publicAlgorithms.map((alg) => ({ ...publicHalf(keyOf[alg]), use: 'sig' }));
    assert.deepEqual(answer.body, { keys: halves });
    for (const alg of algorithms.filter(isSecret)) {
        assert.deepEqual((await call('GET', `/${alg}/jwks`)).body, { keys: [] });
        const { token } = await newToken(alg, 'account');
        await assert.rejects(jwtVerify(token, keysAt('all')), { code: 'ERR_JOSE_NOT_SUPPORTED' });
    }
});
