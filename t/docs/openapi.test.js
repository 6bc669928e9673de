'use strict';
// docs/openapi.yaml: a valid description, whose every example is what nginx answers.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { bundle, createConfig, lint } = require('@redocly/openapi-core');
const Ajv = require('ajv/dist/2020').default;
const addFormats = require('ajv-formats').default;
const { examples, provoke } = require('./provoke.js');
const { start, stop } = require('./servers.js');

const root = path.join(__dirname, '../..');
const ref = path.join(root, 'docs/openapi.yaml');
const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });
addFormats(ajv);

const methods = ['get', 'post', 'put', 'patch', 'delete'];
const operationsOf = (api) => Object.entries(api.paths).flatMap(([path, item]) => methods.filter((method) => item[method])
    .map((method) => ({ path, item, method, operation: withParameters(item[method], item) })));
const withParameters = (operation, item) => ({ ...operation, parameters: [...item.parameters ?? [], ...operation.parameters ?? []] });

// {path, item, method, operation, status, response, name, example} for each example of an answer
function subjectsOf(api) {
    return operationsOf(api).flatMap((place) => Object.entries(place.operation.responses).flatMap(([status, response]) => {
        const given = response.content ? Object.values(response.content)[0].examples : { unchanged: undefined };
        return Object.entries(given).map(([name, example]) => ({ ...place, status, response, name, example }));
    }));
}

function checkSchema(schema, value) {
    assert.ok(ajv.validate(schema, value), `${ajv.errorsText()}: ${JSON.stringify(value)}`);
}

// ---- an answer and its example

const kinds = [/^[0-7][0-9abcdefghjkmnpqrstvwxyz]{31}$/, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, /^[\w-]+\.[\w-]+\.[\w-]+$/];
// what requests ask for: is answered as it is
const isGiven = (text) => /^013x|^2099-/.test(text);

// an id, a time or a token stands for another of its kind, an id always for the same
function likeText(wanted, text, ids) {
    const kind = isGiven(wanted) || isGiven(text) ? -1 : kinds.findIndex((pattern) => pattern.test(wanted));
    if (kind < 0 || !kinds[kind].test(text)) return wanted;
    if (kind > 0) return text;
    if (!ids.has(wanted) && ![...ids.values()].includes(text)) ids.set(wanted, text);
    return ids.get(wanted) ?? wanted;
}

// the example with the ids, times and tokens of the answer
function like(wanted, value, ids, name) {
    if (typeof wanted === 'string' && typeof value === 'string') return likeText(wanted, value, ids);
    if (name === 'iat') return Math.abs(value - Date.now() / 1000) < 60 ? value : 'a time of now';
    if (wanted === null || typeof wanted !== 'object') return wanted;
    if (Array.isArray(wanted)) return wanted.map((item, i) => like(item, value?.[i], ids));
    return Object.fromEntries(Object.entries(wanted).map(([key, item]) => [key, like(item, value?.[key], ids, key)]));
}

// numbers differ, and operations that are not shown may have been counted
function checkMetrics(wanted, text) {
    const lines = (page) => page.replace(/ [\d.]+$/gm, '').split('\n');
    const isCount = (line) => line.startsWith('nginx_api_token_requests_total{');
    assert.deepStrictEqual(lines(text).filter((line) => !isCount(line)), lines(wanted).filter((line) => !isCount(line)));
    assert.deepStrictEqual(lines(wanted).filter((line) => isCount(line) && !lines(text).includes(line)), []);
}

function checkBody({ response, name, example }, answer, made) {
    const headers = new Map(answer.headers);
    if (!response.content) return assert.strictEqual(answer.body, '');
    const [[type, media]] = Object.entries(response.content);
    assert.strictEqual(headers.get('content-type'), type);
    assert.strictEqual(headers.get('content-length'), String(answer.body.length));
    const value = type === 'application/json' ? JSON.parse(answer.body) : answer.body;
    checkSchema(media.schema, value);
    if (type !== 'application/json') return checkMetrics(example.value, value);
    const ids = new Map(made ? [['01m88knmzq3nqk8nxh6rkezhh18mwtdd', made.id]] : []);
    // as a text: members are in the same order
    assert.strictEqual(JSON.stringify(value), JSON.stringify(like(example.value, value, ids)), name);
}

// ---- headers

const everywhere = new Set(['connection', 'content-length', 'content-type', 'date', 'server']);

function allowed(item) {
    return methods.filter((method) => item[method]).flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : method.toUpperCase()));
}

function checkHeaders({ item, response, name }, answer) {
    const others = answer.headers.filter(([header]) => !everywhere.has(header));
    const wanted = Object.entries(response.headers).map(([header, is]) => [header.toLowerCase(), is]);
    assert.deepStrictEqual(others.map(([header]) => header).sort(), wanted.map(([header]) => header).sort());
    for (const [header, is] of wanted) {
        const value = new Map(others).get(header);
        checkSchema(is.schema, value);
        if (is.examples) assert.strictEqual(value, is.examples[name].value);
        if (header === 'allow') assert.deepStrictEqual(value.split(', '), allowed(item));
    }
}

// ---- the examples of requests

function exampleNames(holders) {
    return holders.flatMap((holder) => Object.keys(holder?.examples ?? {}));
}

function requestsOf({ operation }) {
    const media = Object.values(operation.requestBody?.content ?? {});
    return exampleNames([...media, ...operation.parameters]);
}

function checkRequestExamples({ operation }) {
    for (const media of Object.values(operation.requestBody?.content ?? {}))
        for (const { value } of Object.values(media.examples)) checkSchema(media.schema, value);
    for (const { schema, examples: given, example } of operation.parameters)
        for (const { value } of [...Object.values(given ?? {}), ...(example ? [{ value: example }] : [])]) checkSchema(schema, value);
}

// ---- messages of the source

const source = (name) => fs.readFileSync(path.join(root, 'src', name), 'utf8').replace(/"\s*\n\s*"/g, '');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

function messagesOfSource() {
    return [
        ...all(source('http/errors.cpp'), /API_TOKEN_ERROR\(\s*"\w+",\s*"([^"]+)"/g),
        ...all(source('token/list_query.cpp'), /"([^"]+\.)"/g),
        ...all(source('token/create_request.cpp'), /"((?:is|must) [^"]+)"/g),
        ...['list', 'introspect'].flatMap((name) => all(source(`api/${name}.cpp`), /bad_query\(\s*request,\s*"([^"]+)"/g)),
    ];
}

// ----

test('docs/openapi.yaml', async (t) => {
    const config = await createConfig({ extends: ['recommended-strict'] });
    const problems = await lint({ ref, config });
    await t.test('is a valid description', () => assert.deepStrictEqual(problems.map(({ message, location }) =>
        `${location[0].pointer ?? location[0].start?.line}: ${message}`), []));

    const { bundle: { parsed: api } } = await bundle({ ref, config, dereference: true });
    const subjects = subjectsOf(api);
    await t.test('has an example of each answer, and each example of a request has its answer', () => {
        for (const { operation } of operationsOf(api)) {
            const answered = new Set(subjects.filter((subject) => subject.operation.operationId === operation.operationId).map(({ name }) => name));
            assert.deepStrictEqual(requestsOf({ operation }).filter((name) => !answered.has(name)), []);
            checkRequestExamples({ operation });
        }
        for (const { response, name } of subjects) assert.ok(name !== undefined, response.description);
        assert.deepStrictEqual(Object.keys(examples).filter((name) => !subjects.some((subject) => subject.name === name)), []);
    });
    await t.test('has each message of the source', () => {
        const shown = JSON.stringify(subjects.map(({ example }) => example?.value));
        const messages = messagesOfSource();
        assert.ok(messages.length > 30, `${messages.length} messages`);
        assert.deepStrictEqual(messages.filter((message) => !shown.includes(JSON.stringify(message).slice(1, -1))), []);
    });

    try {
        await start();
        for (const subject of subjects) {
            const { operation, status, name } = subject;
            await t.test(`${operation.operationId} ${status} ${name}`, async () => {
                const { answer, made } = await provoke(subject);
                assert.strictEqual(answer.status, status, answer.body);
                checkBody(subject, answer, made);
                checkHeaders(subject, answer);
            });
        }
    } finally {
        await stop();
    }
});
