#pragma once

#include "algorithm.hpp"
#include "key.hpp"
#include "openssl.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace api_token {

/// What a Key hides: its names, and the contexts of its family of algorithms in a derived class.
struct Key::State {
    Algorithm algorithm{};
    std::string kid;
    /// The JOSE header of what this key signs, in base64url.
    std::string header;
    Sha256 fingerprint{};
    /// Of the public half's JWK, those that are numbers, and its type; empty for a secret.
    std::string public_members;
    bool can_sign = false;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual ~State() = default;

    virtual std::size_t signature_bytes() const = 0;
    /// Writes signature_bytes() bytes.
    virtual bool sign(std::string_view input, char* out) = 0;
    /// `signature` has signature_bytes() bytes.
    virtual bool verify(std::string_view input, std::string_view signature) = 0;
};

/// These answer null when OpenSSL fails. Of `pkey` the private half is there if `is_private`.
std::unique_ptr<Key::State> make_hmac(Algorithm algorithm, std::string_view secret);
std::unique_ptr<Key::State> make_rsa(Algorithm algorithm, openssl::Pkey pkey, bool is_private);
std::unique_ptr<Key::State> make_ecdsa(Algorithm algorithm, openssl::Pkey pkey, bool is_private);
std::unique_ptr<Key::State> make_eddsa(openssl::Pkey pkey, bool is_private);

/// What a key's file says of it, beside the numbers.
struct KeyLabel {
    /// Nothing: the type and size of the key choose.
    std::optional<Algorithm> algorithm;
    std::string kid;
    /// Not where `key_ops` leaves "sign" out.
    bool may_sign = true;
};

/// The members of a public JWK that say what key it is, JSON text without braces, in alphabetical order.
std::string public_members(const EVP_PKEY* pkey);

/// Gives `state` its names and its header (RFC 7515 §4).
Key finish_key(std::unique_ptr<Key::State> state, Algorithm algorithm, KeyLabel label, bool is_private);

/// Checks an RSA, EC or Ed25519 key and makes it a Key: its numbers, its size, that the halves belong
/// together, that the label's algorithm is one of its type.
Result<Key, std::string> make_public_key(openssl::Pkey pkey, bool is_private, KeyLabel label);

/// The same for the secret of an HMAC (RFC 7518 §3.2).
Result<Key, std::string> make_secret_key(std::string_view secret, KeyLabel label);

} // namespace api_token
