#include "fuzz.hpp"

#include "token/base64url.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

using fuzz::must;

namespace {

std::string encode(std::string_view bytes)
{
    std::vector<char> out(api_token::base64url_length(bytes.size()));
    must(api_token::base64url_encode(bytes, out.data()) == out.size());
    return {out.begin(), out.end()};
}

/// As OpenSSL writes base64, in the other alphabet and without padding.
std::string encode_by_openssl(std::string_view bytes)
{
    std::string text(bytes.size() / 3 * 4 + 5, '\0');
    auto* out = reinterpret_cast<unsigned char*>(text.data());
    text.resize(EVP_EncodeBlock(out, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text.substr(0, text.find('='));
}

void check_decoding(std::string_view text)
{
    std::vector<char> out(text.size());
    const auto bytes = api_token::base64url_decode(text, out);
    if (!bytes) {
        return;
    }
    must(encode(*bytes) == text);
    std::vector<char> exact(bytes->size());
    must(api_token::base64url_decode(text, exact) == bytes);
    if (!exact.empty()) {
        exact.pop_back();
        exact.shrink_to_fit();
        must(!api_token::base64url_decode(text, exact));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string text = encode(bytes);
    must(text == encode_by_openssl(bytes));
    std::vector<char> out(size);
    must(api_token::base64url_decode(text, out) == bytes);
    check_decoding(bytes);
    return 0;
}
