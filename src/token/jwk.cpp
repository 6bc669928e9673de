#include "jwk_members.hpp"
#include "key_files.hpp"
#include "wiping_json.hpp"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>

namespace api_token {

namespace {

using openssl::Bignum;
using openssl::Pkey;
using openssl::Wiped;

/// Gathers the numbers of a key for OpenSSL, which copies them at the end.
class PkeyBuilder {
public:
    void number(const char* name, std::string_view big_endian)
    {
        numbers_.emplace_back(
            BN_bin2bn(openssl::bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
        ok_ = ok_ && OSSL_PARAM_BLD_push_BN(params_.get(), name, numbers_.back().get()) == 1;
    }

    void text(const char* name, const char* value)
    {
        ok_ = ok_ && OSSL_PARAM_BLD_push_utf8_string(params_.get(), name, value, 0) == 1;
    }

    void octets(const char* name, std::string_view value)
    {
        ok_ = ok_ && OSSL_PARAM_BLD_push_octet_string(params_.get(), name, value.data(), value.size()) == 1;
    }

    /// Null where the numbers are not those of a key.
    Pkey build(const char* type, bool is_private)
    {
        const openssl::Params params(ok_ ? OSSL_PARAM_BLD_to_param(params_.get()) : nullptr);
        const openssl::PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
        EVP_PKEY* pkey = nullptr;
        if (params != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1) {
            EVP_PKEY_fromdata(context.get(), &pkey, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                              params.get());
        }
        return Pkey(pkey);
    }

private:
    std::vector<Bignum> numbers_;
    openssl::ParamBuilder params_{OSSL_PARAM_BLD_new()};
    bool ok_ = params_ != nullptr;
};

/// RFC 7518 §6.3: `n` and `e`; `d` of a private key; the factors, all of them or none.
constexpr std::array<std::pair<const char*, const char*>, 3> rsa_numbers{{
    {"n", OSSL_PKEY_PARAM_RSA_N},
    {"e", OSSL_PKEY_PARAM_RSA_E},
    {"d", OSSL_PKEY_PARAM_RSA_D},
}};
constexpr std::array<std::pair<const char*, const char*>, 5> rsa_factors{{
    {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
    {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
}};

Result<Pkey, std::string> read_rsa(JwkMembers& jwk, bool is_private)
{
    if (jwk.has("oth")) {
        return std::string("an RSA key of more than two primes (member \"oth\"): make one of two");
    }
    PkeyBuilder builder;
    const auto read = [&](const auto& member) {
        builder.number(member.second, jwk.bytes(member.first).view());
    };
    std::for_each_n(rsa_numbers.begin(), is_private ? 3 : 2, read);
    const auto present = [&](const auto& member) { return jwk.has(member.first); };
    if (is_private && std::any_of(rsa_factors.begin(), rsa_factors.end(), present)) {
        std::for_each(rsa_factors.begin(), rsa_factors.end(), read);
    }
    if (!jwk.error().empty()) {
        return jwk.error();
    }
    return builder.build("RSA", is_private);
}

struct Curve {
    const char* name;
    std::size_t width;
};

/// RFC 7518 §6.2.1.1; OpenSSL knows these names too.
constexpr std::array<Curve, 3> curves{{{"P-256", 32}, {"P-384", 48}, {"P-521", 66}}};

/// RFC 7518 §6.2; the point as SEC 1 §2.3.3 writes it, uncompressed.
Result<Pkey, std::string> read_ec(JwkMembers& jwk, bool is_private)
{
    const auto* curve = std::find_if(curves.begin(), curves.end(),
                                     [&](const Curve& entry) { return jwk.text("crv") == entry.name; });
    if (curve == curves.end()) {
        return std::string("member \"crv\" must be P-256, P-384 or P-521");
    }
    const Wiped x = jwk.bytes("x", curve->width);
    const Wiped y = jwk.bytes("y", curve->width);
    const Wiped d = is_private ? jwk.bytes("d", curve->width) : Wiped(0);
    if (!jwk.error().empty()) {
        return jwk.error();
    }
    const std::string point = std::string("\x04").append(x.view()).append(y.view());
    PkeyBuilder builder;
    builder.text(OSSL_PKEY_PARAM_GROUP_NAME, curve->name);
    builder.octets(OSSL_PKEY_PARAM_PUB_KEY, point);
    if (is_private) {
        builder.number(OSSL_PKEY_PARAM_PRIV_KEY, d.view());
    }
    return builder.build("EC", is_private);
}

bool has_public(const Pkey& pkey, std::string_view expected)
{
    std::array<unsigned char, 32> raw{};
    std::size_t size = raw.size();
    return pkey != nullptr && EVP_PKEY_get_raw_public_key(pkey.get(), raw.data(), &size) == 1 &&
           std::equal(raw.begin(), raw.end(), openssl::bytes(expected));
}

/// RFC 8037 §2. OpenSSL makes the public half of `d` itself: it must be `x`.
Result<Pkey, std::string> read_okp(JwkMembers& jwk, bool is_private)
{
    if (jwk.text("crv") != "Ed25519") {
        return std::string("member \"crv\" must be Ed25519");
    }
    const Wiped x = jwk.bytes("x", 32);
    const Wiped d = is_private ? jwk.bytes("d", 32) : Wiped(0);
    if (!jwk.error().empty()) {
        return jwk.error();
    }
    const auto make = is_private ? EVP_PKEY_new_raw_private_key_ex : EVP_PKEY_new_raw_public_key_ex;
    Pkey pkey(make(nullptr, "ED25519", nullptr, openssl::bytes(is_private ? d.view() : x.view()), 32));
    if (!has_public(pkey, x.view())) {
        return std::string("the private key does not belong to its public half");
    }
    return pkey;
}

Result<Key, std::string> read_oct(JwkMembers& jwk, KeyLabel label)
{
    const Wiped secret = jwk.bytes("k");
    if (!jwk.error().empty()) {
        return jwk.error();
    }
    return make_secret_key(secret.view(), std::move(label));
}

using ReadPkey = Result<Pkey, std::string> (*)(JwkMembers&, bool);

Result<Key, std::string> read_pkey(ReadPkey read, JwkMembers& jwk, KeyLabel label)
{
    const bool is_private = jwk.has("d");
    auto pkey = read(jwk, is_private);
    if (!pkey) {
        return pkey.error();
    }
    if (*pkey == nullptr) {
        return std::string("its numbers are not those of a key: on an EC key, the point is not on the curve");
    }
    return make_public_key(std::move(*pkey), is_private, std::move(label));
}

Result<Key, std::string> read_jwk(const json_t* value)
{
    if (!json_is_object(value)) {
        return std::string("a JWK must be a JSON object");
    }
    auto label = read_label(value);
    if (!label) {
        return label.error();
    }
    JwkMembers jwk(value);
    const std::string_view type = jwk.text("kty");
    if (type == "oct") {
        return read_oct(jwk, std::move(*label));
    }
    if (type == "RSA") {
        return read_pkey(read_rsa, jwk, std::move(*label));
    }
    if (type == "EC") {
        return read_pkey(read_ec, jwk, std::move(*label));
    }
    if (type == "OKP") {
        return read_pkey(read_okp, jwk, std::move(*label));
    }
    return std::string("member \"kty\" must be oct, RSA, EC or OKP");
}

Result<std::vector<Key>, std::string> read_set(const json_t* set)
{
    if (json_array_size(set) == 0) {
        return std::string("member \"keys\" of a JWK set must be an array that holds a key");
    }
    std::vector<Key> keys;
    for (std::size_t i = 0; i < json_array_size(set); ++i) {
        auto key = read_jwk(json_array_get(set, i));
        if (!key) {
            return "keys[" + std::to_string(i) + "]: " + key.error();
        }
        keys.push_back(std::move(*key));
    }
    return keys;
}

} // namespace

Result<std::vector<Key>, std::string> load_jwks(std::string_view text)
{
    const WipingJson wiping;
    const Json document = parse_json_object(text);
    if (document == nullptr) {
        return std::string("broken JSON, or a member that is there twice");
    }
    if (const json_t* set = json_object_get(document.get(), "keys")) {
        return read_set(set);
    }
    auto key = read_jwk(document.get());
    if (!key) {
        return key.error();
    }
    std::vector<Key> keys;
    keys.push_back(std::move(*key));
    return keys;
}

} // namespace api_token
