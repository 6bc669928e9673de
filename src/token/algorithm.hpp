#pragma once

#include "key.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace api_token {

/// How an algorithm signs: RFC 7518 §3.2, §3.3, §3.5, §3.4 and RFC 8037 §3.1.
enum class Family { hmac, rsa, pss, ecdsa, eddsa };

struct AlgorithmFacts {
    std::string_view name;
    Family family;
    /// OpenSSL's name of the hash; null for EdDSA, which signs the text itself.
    const char* digest;
    std::size_t hash_bytes;
};

const AlgorithmFacts& facts(Algorithm algorithm);

/// The algorithm of this name, which is case-sensitive (RFC 7515 §4.1.1); nothing for another text.
std::optional<Algorithm> parse_algorithm(std::string_view name);

} // namespace api_token
