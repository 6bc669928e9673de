#pragma once

#include "digest.hpp"
#include "result.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace api_token {

/// RFC 7518 §3.1 and RFC 8037 §3.1.
enum class Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA
};

std::string_view name(Algorithm algorithm);

/// Bytes of a signature of any key at most: RSA of 16,384 bits, the most that OpenSSL works with.
inline constexpr std::size_t signature_max_bytes = 2048;

/// A key with the one algorithm that it is used with. Its OpenSSL contexts are made once; the key's bytes are
/// wiped when it dies. One thread uses it at a time. Nothing but destruction of one that was moved from.
class Key {
public:
    struct State;
    explicit Key(std::unique_ptr<State> state);
    Key(Key&&) noexcept;
    Key& operator=(Key&&) noexcept;
    ~Key();

    Algorithm algorithm() const;
    /// Empty where the key has none.
    std::string_view kid() const;
    /// {"alg":…,"typ":"JWT"[,"kid":…]} in base64url: the first part of each JWT that this key signs.
    std::string_view header() const;
    /// The same for the same key, whatever file it came from, and for no other; tells nothing of a secret.
    const Sha256& fingerprint() const;
    /// The public half as a JWK (RFC 7517 §4, RFC 7518 §6.2 and §6.3, RFC 8037 §2), JSON text with `alg`, `kid` and
    /// `use`; empty for a secret.
    std::string public_jwk() const;
    /// Whether the private half, or the secret, is here, and `key_ops` does not forbid its use.
    bool can_sign() const;
    /// Bytes of each signature of this key.
    std::size_t signature_capacity() const;

    /// Signs as RFC 7518 §3 writes signatures (ES: R and S in full width). Answers the part of `out` that was
    /// written, empty when the key cannot sign, `out` is too small or OpenSSL fails.
    std::string_view sign(std::string_view input, std::span<char> out) const;

    /// Whether `signature` is this key's over `input`. Constant time for HMAC.
    bool verify(std::string_view input, std::string_view signature) const;

private:
    std::unique_ptr<State> state_;
};

/// Reads the keys of a file's bytes: a JWK (RFC 7517), a JWK set, or PEM keys, private or public. The error
/// says in a sentence, without key material, what is wrong and what to do: an HMAC key shorter than its hash,
/// an RSA key under 2048 bits, an unknown type or curve, an `alg` that the type does not have, a `use` or
/// `key_ops` that is not for signatures, an encrypted PEM, a private key that does not belong to its public
/// half. One key that cannot be used refuses the file. Copies made on the way are wiped; `bytes` are the
/// caller's to wipe. Not for two threads at once: it lends jansson an allocator.
Result<std::vector<Key>, std::string> load_keys(std::string_view bytes);

} // namespace api_token
