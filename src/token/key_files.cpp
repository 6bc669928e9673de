#include "key_files.hpp"

#include <openssl/err.h>

namespace api_token {

namespace {

/// Text in front of a PEM block is ignored (RFC 7468 §2); a JWK begins with its brace.
Result<std::vector<Key>, std::string> load_any(std::string_view bytes)
{
    const std::size_t start = bytes.find_first_not_of(" \t\r\n");
    if (start == bytes.npos) {
        return std::string("the file is empty");
    }
    if (bytes[start] == '{') {
        return load_jwks(bytes);
    }
    if (bytes.find("-----BEGIN ") != bytes.npos) {
        return load_pem(bytes);
    }
    return std::string("neither a JWK nor a PEM key; a secret is written as the JWK "
                       R"({"kty":"oct","k":"<the bytes in base64url>"})");
}

} // namespace

Result<std::vector<Key>, std::string> load_keys(std::string_view bytes)
{
    auto keys = load_any(bytes);
    ERR_clear_error();
    return keys;
}

} // namespace api_token
