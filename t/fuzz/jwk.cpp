#include "keys.hpp"

namespace {

/// A message must not tell a secret; one of a few characters may be in it by chance.
void check_message(std::string_view bytes)
{
    const auto keys = api_token::load_keys(bytes);
    const auto jwk = api_token::parse_json_object(bytes);
    for (const char* member : {"k", "d", "p", "q", "dp", "dq", "qi"}) {
        const auto secret = api_token::json_text(json_object_get(jwk.get(), member));
        fuzz::must(keys || secret.size() < 16 || keys.error().find(secret) == std::string::npos);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    fuzz::check_keys(bytes);
    check_message(bytes);
    return 0;
}
