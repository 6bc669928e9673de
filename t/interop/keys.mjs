// A private key, or a secret, as a JWK for each algorithm; none of them is made by the library under test.

import { generateKeyPairSync, randomBytes } from 'node:crypto';

export const secretAlgorithms = ['HS256', 'HS384', 'HS512'];
export const publicAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
export const algorithms = [...secretAlgorithms, ...publicAlgorithms];
export const isSecret = (algorithm) => secretAlgorithms.includes(algorithm);

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** An algorithm's private key, as an object of node:crypto. */
export function makePrivateKey(algorithm) {
    if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
    if (curves[algorithm]) return generateKeyPairSync('ec', { namedCurve: curves[algorithm] }).privateKey;
    return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

export function makeJwk(algorithm, kid) {
    const numbers = isSecret(algorithm)
        ? { kty: 'oct', k: randomBytes(Number(algorithm.slice(2)) / 8).toString('base64url') }
        : makePrivateKey(algorithm).export({ format: 'jwk' });
    return { ...numbers, alg: algorithm, kid };
}

/** Its public half; a secret has none and is answered as it is. */
export function publicHalf({ d, p, q, dp, dq, qi, ...others }) {
    return others;
}
