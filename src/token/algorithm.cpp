#include "algorithm.hpp"

#include <algorithm>
#include <array>

namespace api_token {

namespace {

/// In the order of Algorithm.
constexpr std::array<AlgorithmFacts, 13> table{{
    {"HS256", Family::hmac, "SHA256", 32},
    {"HS384", Family::hmac, "SHA384", 48},
    {"HS512", Family::hmac, "SHA512", 64},
    {"RS256", Family::rsa, "SHA256", 32},
    {"RS384", Family::rsa, "SHA384", 48},
    {"RS512", Family::rsa, "SHA512", 64},
    {"PS256", Family::pss, "SHA256", 32},
    {"PS384", Family::pss, "SHA384", 48},
    {"PS512", Family::pss, "SHA512", 64},
    {"ES256", Family::ecdsa, "SHA256", 32},
    {"ES384", Family::ecdsa, "SHA384", 48},
    {"ES512", Family::ecdsa, "SHA512", 64},
    {"EdDSA", Family::eddsa, nullptr, 0},
}};

static_assert(table[static_cast<std::size_t>(Algorithm::EdDSA)].name == "EdDSA");

} // namespace

const AlgorithmFacts& facts(Algorithm algorithm)
{
    return table[static_cast<std::size_t>(algorithm)];
}

std::string_view name(Algorithm algorithm)
{
    return facts(algorithm).name;
}

std::optional<Algorithm> parse_algorithm(std::string_view name)
{
    const auto* found = std::find_if(table.begin(), table.end(),
                                     [name](const AlgorithmFacts& entry) { return entry.name == name; });
    if (found == table.end()) {
        return std::nullopt;
    }
    return static_cast<Algorithm>(found - table.begin());
}

} // namespace api_token
