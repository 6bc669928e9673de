#include "digest.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>

namespace api_token {

std::optional<Sha256> sha256(std::initializer_list<std::string_view> texts)
{
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    static EVP_MD_CTX* const context = EVP_MD_CTX_new();
    Sha256 digest;
    bool good = context && EVP_DigestInit_ex2(context, algorithm, nullptr) == 1;
    for (auto text : texts)
        good = good && EVP_DigestUpdate(context, text.data(), text.size()) == 1;
    if (good && EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1)
        return digest;
    ERR_clear_error();
    return std::nullopt;
}

std::array<char, 64> hex(const Sha256& digest)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::array<char, 64> text;
    for (std::size_t i = 0; i < digest.size(); i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    return text;
}

std::optional<std::array<std::uint8_t, 10>> draw_randomness()
{
    static std::array<std::uint8_t, 640> drawn;
    static std::size_t used = drawn.size();
    if (used == drawn.size()) {
        if (RAND_bytes(drawn.data(), static_cast<int>(drawn.size())) != 1) {
            ERR_clear_error();
            return std::nullopt;
        }
        used = 0;
    }
    std::array<std::uint8_t, 10> randomness;
    std::memcpy(randomness.data(), drawn.data() + used, randomness.size());
    OPENSSL_cleanse(drawn.data() + used, randomness.size());
    used += randomness.size();
    return randomness;
}

} // namespace api_token
