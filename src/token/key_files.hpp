#pragma once

#include "key.hpp"

namespace api_token {

/// The keys of a JWK or of a JWK set (RFC 7517 §4 and §5), JSON text.
Result<std::vector<Key>, std::string> load_jwks(std::string_view text);

/// The keys of PEM blocks (RFC 7468): PKCS#8, PKCS#1, SEC1, and public ones as SubjectPublicKeyInfo.
Result<std::vector<Key>, std::string> load_pem(std::string_view text);

} // namespace api_token
