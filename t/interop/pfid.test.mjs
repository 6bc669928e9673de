// The published library of PFIDs reads our ids, and takes for an id what we take for one.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import pfid from '@prefactor/pfid';

import { makeJwk } from './keys.mjs';
import { call, create, serve, writeKey } from './servers.mjs';

before(() => serve(`location /tokens { api_token; api_token_caller account=any; api_token_key ${writeKey('key', makeJwk('HS256'))}; }`));

const partitions = [0, 1, 31, 32, 2 ** 29, 2 ** 30 - 1];
const account_id = pfid.generate(123456789);

test('an id has the partition of its account, and the time when it was made', async () => {
    for (const partition of partitions) {
        const from = Date.now();
        const { id, inserted_at } = (await create('/tokens', { account_id: pfid.generate(partition) })).details;
        const time = pfid.decode(id).readUIntBE(0, 6);
        assert.ok(pfid.isPfid(id), id);
        assert.equal(pfid.extractPartition(id), partition);
        assert.ok(from <= time && time <= Date.now(), `${from} ${time}`);
        assert.equal(Math.floor(time / 1000), Date.parse(inserted_at) / 1000);
        assert.equal(pfid.encode(pfid.decode(id)), id);
    }
});

test('1,000 ids differ, and their order is that of their time', async () => {
    const ids = [];
    while (ids.length < 1000) ids.push((await create('/tokens', { account_id })).details.id);
    const times = ids.map((id) => pfid.decode(id).readUIntBE(0, 6));
    assert.equal(new Set(ids.map((id) => id.slice(16))).size, 1000, 'random bits');
    assert.deepEqual(times, times.toSorted?.((a, b) => a - b) ?? [...times].sort((a, b) => a - b));
});

test('a related environment is one of the account', async () => {
    const environment = (environment_id) => call('POST', '/tokens', { body: { token_scope: 'environment', account_id, environment_id } });
    assert.equal((await environment(pfid.generateRelated(account_id))).status, 200);
    assert.equal((await environment(pfid.generate(123456788))).status, 422);
});

test('both take the same texts for an id', async () => {
    const characters = [...Array(128).keys()].map((code) => String.fromCharCode(code)).concat('é', '０', '\u{1f600}');
    const ends = [account_id.slice(1), `${account_id}0`, ` ${account_id}`, `${account_id}\n`, '', pfid.zero(), pfid.generateExample()];
    const texts = [...characters.flatMap((c) => [c + account_id.slice(1), account_id.slice(0, 31) + c]), ...ends].filter((text) => !text.includes('\0'));
    for (const text of texts) {
        const { status } = await call('POST', '/tokens', { body: { token_scope: 'account', account_id: text } });
        assert.equal(status === 200, pfid.isPfid(text), JSON.stringify(text));
        assert.ok(status === 200 || status === 422);
    }
});
