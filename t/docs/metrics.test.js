'use strict';
// promtool finds nothing to mend in the metrics.

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const { after, before, test } = require('node:test');
const { account, send, start, stop } = require('./servers.js');

before(start);
after(stop);

test('promtool check metrics', async () => {
    const headers = { 'Content-Type': 'application/json', 'X-Account': account };
    const made = await send('maker', { method: 'POST', target: '/api/v1/api_token', headers, body: '{"token_scope":"account"}' });
    assert.equal(made.status, '200');
    const { body } = await send('maker', { method: 'GET', target: '/metrics', headers: {} });
    assert.match(body, /^nginx_api_token_requests_total\{operation="create",status="200"\} 1$/m);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    assert.deepEqual([stdout, stderr, status], ['', '', 0]);
});
