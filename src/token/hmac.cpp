#include "key_state.hpp"

#include <array>

namespace api_token {

namespace {

/// RFC 7518 §3.2. The context keeps the hash's state after the key; each use starts from there.
class Hmac final : public Key::State {
public:
    Hmac(openssl::MacContext context, std::size_t bytes) : context_(std::move(context)), bytes_(bytes) {}

    std::size_t signature_bytes() const override { return bytes_; }

    bool sign(std::string_view input, char* out) override
    {
        std::size_t written = 0;
        return EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
               EVP_MAC_update(context_.get(), openssl::bytes(input), input.size()) == 1 &&
               EVP_MAC_final(context_.get(), openssl::bytes(out), &written, bytes_) == 1 && written == bytes_;
    }

    bool verify(std::string_view input, std::string_view signature) override
    {
        std::array<char, EVP_MAX_MD_SIZE> own;
        const bool same = sign(input, own.data()) && CRYPTO_memcmp(own.data(), signature.data(), bytes_) == 0;
        OPENSSL_cleanse(own.data(), own.size());
        return same;
    }

private:
    openssl::MacContext context_;
    std::size_t bytes_;
};

} // namespace

std::unique_ptr<Key::State> make_hmac(Algorithm algorithm, std::string_view secret)
{
    const AlgorithmFacts& known = facts(algorithm);
    const openssl::Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    openssl::MacContext context(mac != nullptr ? EVP_MAC_CTX_new(mac.get()) : nullptr);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", const_cast<char*>(known.digest), 0), OSSL_PARAM_END};
    if (context == nullptr ||
        EVP_MAC_init(context.get(), openssl::bytes(secret), secret.size(), params) != 1) {
        return nullptr;
    }
    return std::make_unique<Hmac>(std::move(context), known.hash_bytes);
}

} // namespace api_token
