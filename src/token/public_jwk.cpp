#include "base64url.hpp"
#include "json.hpp"
#include "key_state.hpp"

#include <openssl/core_names.h>

#include <array>

namespace api_token {

namespace {

std::string encode(std::string_view bytes)
{
    std::string text(base64url_length(bytes.size()), '\0');
    base64url_encode(bytes, text.data());
    return text;
}

/// A number of the public half, in `width` bytes, or in as many as it takes where that is 0.
std::string number(const EVP_PKEY* pkey, const char* param, std::size_t width)
{
    BIGNUM* value = nullptr;
    if (EVP_PKEY_get_bn_param(pkey, param, &value) != 1) {
        return {};
    }
    const openssl::Bignum owner(value);
    std::string bytes(width != 0 ? width : static_cast<std::size_t>(BN_num_bytes(value)), '\0');
    BN_bn2binpad(value, openssl::bytes(bytes.data()), static_cast<int>(bytes.size()));
    return encode(bytes);
}

std::string ed25519_members(const EVP_PKEY* pkey)
{
    std::array<char, 32> bytes{};
    std::size_t size = bytes.size();
    EVP_PKEY_get_raw_public_key(pkey, openssl::bytes(bytes.data()), &size);
    return R"("crv":"Ed25519","kty":"OKP","x":")" + encode({bytes.data(), size}) + '"';
}

std::string ec_members(const EVP_PKEY* pkey)
{
    const auto bits = static_cast<std::size_t>(EVP_PKEY_get_bits(pkey));
    const std::size_t width = (bits + 7) / 8;
    return R"("crv":"P-)" + std::to_string(bits) + R"(","kty":"EC","x":")" +
           number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, width) + R"(","y":")" +
           number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width) + '"';
}

std::string rsa_members(const EVP_PKEY* pkey)
{
    return R"("e":")" + number(pkey, OSSL_PKEY_PARAM_RSA_E, 0) + R"(","kty":"RSA","n":")" +
           number(pkey, OSSL_PKEY_PARAM_RSA_N, 0) + '"';
}

} // namespace

std::string public_members(const EVP_PKEY* pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
        return rsa_members(pkey);
    }
    return EVP_PKEY_is_a(pkey, "EC") == 1 ? ec_members(pkey) : ed25519_members(pkey);
}

std::string Key::public_jwk() const
{
    if (state_->public_members.empty()) {
        return {};
    }
    std::string kid;
    if (!state_->kid.empty()) {
        std::array<char, 1024> memory;
        Writer quoted(memory);
        quoted.string(state_->kid);
        kid = R"(,"kid":)" + std::string(quoted.view());
    }
    return R"({"alg":")" + std::string(name(state_->algorithm)) + '"' + kid + ',' + state_->public_members +
           R"(,"use":"sig"})";
}

} // namespace api_token
