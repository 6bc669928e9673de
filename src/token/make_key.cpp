#include "key_state.hpp"

#include <openssl/core_names.h>

#include <array>

namespace api_token {

namespace {

using openssl::Pkey;
using openssl::PkeyContext;

constexpr int rsa_min_bits = 2048;
constexpr int rsa_max_bits = static_cast<int>(signature_max_bytes) * 8;

/// A type of key, with the algorithm that is used where none is asked for.
struct KeyType {
    std::string_view words;
    Algorithm usual;
};

std::optional<KeyType> curve_type(const EVP_PKEY* pkey)
{
    std::array<char, 64> group{};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(pkey, group.data(), group.size(), &length) != 1) {
        return std::nullopt;
    }
    const std::string_view curve(group.data(), length);
    if (curve == "prime256v1" || curve == "P-256") {
        return KeyType{"an EC key on P-256", Algorithm::ES256};
    }
    if (curve == "secp384r1" || curve == "P-384") {
        return KeyType{"an EC key on P-384", Algorithm::ES384};
    }
    if (curve == "secp521r1" || curve == "P-521") {
        return KeyType{"an EC key on P-521", Algorithm::ES512};
    }
    return std::nullopt;
}

std::optional<KeyType> type_of(const EVP_PKEY* pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
        return KeyType{"an RSA key", Algorithm::RS256};
    }
    if (EVP_PKEY_is_a(pkey, "ED25519") == 1) {
        return KeyType{"an Ed25519 key", Algorithm::EdDSA};
    }
    return EVP_PKEY_is_a(pkey, "EC") == 1 ? curve_type(pkey) : std::nullopt;
}

/// An RSA key goes with all of RS and PS, each other key with one algorithm.
bool fits(Algorithm algorithm, const KeyType& type)
{
    const bool rsa = facts(algorithm).family == Family::rsa || facts(algorithm).family == Family::pss;
    return algorithm == type.usual || (rsa && type.usual == Algorithm::RS256);
}

std::string misfit(Algorithm algorithm, std::string_view words)
{
    return std::string("\"alg\" is ")
        .append(name(algorithm))
        .append(", which does not go with ")
        .append(words);
}

/// RFC 7518 §3.3: 2048 bits or more.
std::string check_size(const EVP_PKEY* pkey)
{
    const int bits = EVP_PKEY_get_bits(pkey);
    if (bits >= rsa_min_bits && bits <= rsa_max_bits) {
        return {};
    }
    return "an RSA key of " + std::to_string(bits) + " bits: make one of " + std::to_string(rsa_min_bits) +
           " bits or more, at most " + std::to_string(rsa_max_bits);
}

bool has_factors(const EVP_PKEY* pkey)
{
    BIGNUM* factor = nullptr;
    const bool has = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &factor) == 1;
    BN_clear_free(factor);
    return has;
}

/// The numbers of an RSA key that came without factors are tried by its first signature alone.
std::string check_numbers(EVP_PKEY* pkey, bool is_private)
{
    const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
    if (context == nullptr || EVP_PKEY_public_check(context.get()) != 1) {
        return "the numbers of the public key are not those of a key";
    }
    const bool comparable = is_private && (EVP_PKEY_is_a(pkey, "RSA") != 1 || has_factors(pkey));
    if (comparable && EVP_PKEY_pairwise_check(context.get()) != 1) {
        return "the private key does not belong to its public half";
    }
    return {};
}

std::unique_ptr<Key::State> make_state(Algorithm algorithm, Pkey pkey, bool is_private)
{
    switch (facts(algorithm).family) {
    case Family::ecdsa:
        return make_ecdsa(algorithm, std::move(pkey), is_private);
    case Family::eddsa:
        return make_eddsa(std::move(pkey), is_private);
    default:
        return make_rsa(algorithm, std::move(pkey), is_private);
    }
}

/// Of what the secret makes of a text that no token is.
std::optional<Sha256> fingerprint_of(Key::State& hmac)
{
    std::array<char, EVP_MAX_MD_SIZE> mac{};
    if (!hmac.sign("fingerprint", mac.data())) {
        return std::nullopt;
    }
    return sha256({mac.data(), hmac.signature_bytes()});
}

/// A private key's first signature must be its public half's.
bool signs_for_itself(Key::State& state)
{
    std::array<char, signature_max_bytes> signature;
    return state.sign("probe", signature.data()) &&
           state.verify("probe", {signature.data(), state.signature_bytes()});
}

/// RFC 7518 §3.2: as long as the hash or longer.
std::optional<Algorithm> usual_hmac(std::size_t bytes)
{
    for (const Algorithm algorithm : {Algorithm::HS512, Algorithm::HS384, Algorithm::HS256}) {
        if (bytes >= facts(algorithm).hash_bytes) {
            return algorithm;
        }
    }
    return std::nullopt;
}

std::string too_short(std::size_t bytes, Algorithm algorithm)
{
    return std::string("an HMAC key of ")
        .append(std::to_string(bytes))
        .append(" bytes: ")
        .append(name(algorithm))
        .append(" needs ")
        .append(std::to_string(facts(algorithm).hash_bytes))
        .append(" random bytes or more");
}

} // namespace

Result<Key, std::string> make_public_key(Pkey pkey, bool is_private, KeyLabel label)
{
    const std::optional<KeyType> type = type_of(pkey.get());
    if (!type) {
        return std::string("a key of a type or curve that is not known here: use RSA, EC on P-256, P-384 or "
                           "P-521, or Ed25519");
    }
    const Algorithm algorithm = label.algorithm.value_or(type->usual);
    if (!fits(algorithm, *type)) {
        return misfit(algorithm, type->words);
    }
    std::string error = type->usual == Algorithm::RS256 ? check_size(pkey.get()) : std::string();
    if (error.empty()) {
        error = check_numbers(pkey.get(), is_private);
    }
    if (!error.empty()) {
        return error;
    }
    std::string members = public_members(pkey.get());
    // RFC 7638: the encodings of OpenSSL differ by how the file wrote the point of an EC key
    const auto fingerprint = sha256({"{", members, "}"});
    auto state = make_state(algorithm, std::move(pkey), is_private);
    if (state == nullptr || !fingerprint) {
        return std::string("OpenSSL does not offer ").append(name(algorithm));
    }
    if (is_private && !signs_for_itself(*state)) {
        return std::string("the private key does not belong to its public half");
    }
    state->fingerprint = *fingerprint;
    state->public_members = std::move(members);
    return finish_key(std::move(state), algorithm, std::move(label), is_private);
}

Result<Key, std::string> make_secret_key(std::string_view secret, KeyLabel label)
{
    const std::optional<Algorithm> usual = usual_hmac(secret.size());
    const Algorithm algorithm = label.algorithm.value_or(usual.value_or(Algorithm::HS256));
    if (facts(algorithm).family != Family::hmac) {
        return misfit(algorithm, "a secret (\"kty\" is oct)");
    }
    if (secret.size() < facts(algorithm).hash_bytes) {
        return too_short(secret.size(), algorithm);
    }
    auto state = make_hmac(algorithm, secret);
    const auto fingerprint = state != nullptr ? fingerprint_of(*state) : std::nullopt;
    if (!fingerprint) {
        return std::string("OpenSSL does not offer ").append(name(algorithm));
    }
    state->fingerprint = *fingerprint;
    return finish_key(std::move(state), algorithm, std::move(label), true);
}

} // namespace api_token
