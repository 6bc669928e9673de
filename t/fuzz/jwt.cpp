#include "fuzz.hpp"

#include "token/base64url.hpp"
#include "token/jwt.hpp"
#include "token/pfid.hpp"

#include <array>
#include <vector>

using api_token::ClaimRules;
using api_token::Claims;
using api_token::Key;
using api_token::Scope;
using fuzz::must;

namespace {

constexpr api_token::Seconds now = 1800000000;

/// Two secrets of one algorithm, one without a kid, and the private key of RFC 8037, appendix A.
constexpr std::string_view key_set = R"({"keys":[
{"kty":"oct","kid":"a","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
{"kty":"oct","k":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"},
{"kty":"OKP","crv":"Ed25519","kid":"e","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]})";

const std::vector<Key>& keys()
{
    static const auto loaded = api_token::load_keys(key_set);
    return *loaded;
}

const std::vector<const Key*>& pointers()
{
    static const std::vector<const Key*> all{&keys()[0], &keys()[1], &keys()[2]};
    return all;
}

std::string encode(std::string_view bytes)
{
    std::string text(api_token::base64url_length(bytes.size()), '\0');
    api_token::base64url_encode(bytes, text.data());
    return text;
}

std::string sign(const Key& key, std::string_view header, std::string_view claims)
{
    const std::string input =
        (header.empty() ? std::string(key.header()) : encode(header)) + '.' + encode(claims);
    std::array<char, 64> memory;
    return input + '.' + encode(key.sign(input, memory));
}

/// The signature of a token that passed is one that a key makes.
void check_signed(std::string_view token)
{
    const std::size_t dot = token.rfind('.');
    bool found = false;
    for (const Key& key : keys()) {
        std::array<char, 64> memory;
        found = found || encode(key.sign(token.substr(0, dot), memory)) == token.substr(dot + 1);
    }
    must(found && token.size() <= api_token::jwt_max_length);
}

void check_changed(std::string token, std::size_t place, const ClaimRules& rules)
{
    char& character = token[place % token.size()];
    character = character == 'A' ? 'B' : 'A';
    must(!api_token::verify_token(token, pointers(), rules));
    must(!api_token::verify_admin(token, pointers(), rules));
}

/// RFC 7519 §4.1.3.
bool is_meant_for(const json_t* aud, std::string_view audience)
{
    std::size_t found = json_is_string(aud) && api_token::json_text(aud) == audience;
    for (std::size_t i = 0; i < json_array_size(aud); ++i) {
        found += api_token::json_text(json_array_get(aud, i)) == audience;
    }
    return found > 0;
}

/// It ends in the second that it names.
void check_end(const std::string& token, const Claims& claims, ClaimRules rules)
{
    rules.now = claims.expires_at - 1;
    must(static_cast<bool>(api_token::verify_token(token, pointers(), rules)));
    rules.now = claims.expires_at;
    const auto later = api_token::verify_token(token, pointers(), rules);
    must(later ? claims.expires_at == api_token::last_second : later.error() == api_token::Refusal::expired);
}

void check_common(const Claims& claims, const ClaimRules& rules)
{
    const json_t* members = claims.document.get();
    must(api_token::is_pfid(claims.sub));
    must(claims.expires_at > rules.now && claims.expires_at <= api_token::last_second);
    must(claims.issued_at >= 0 && claims.issued_at <= api_token::last_second);
    must(json_object_get(members, "exp") != nullptr);
    must(rules.issuer.empty() || api_token::json_text(json_object_get(members, "iss")) == rules.issuer);
    must(rules.audience.empty() || is_meant_for(json_object_get(members, "aud"), rules.audience));
}

/// The same claims as this service writes them mean the same.
void check_written(const Claims& claims, const ClaimRules& rules)
{
    api_token::Token record;
    record.id = claims.jti;
    record.account_id = claims.sub;
    record.environment_id = claims.environment_id;
    record.scope = claims.scope;
    record.inserted_at = claims.issued_at;
    record.expires_at = claims.expires_at;
    std::vector<char> memory(api_token::claims_capacity(rules.issuer, rules.audience));
    api_token::Writer out(memory);
    write_claims(out, record, rules.issuer, rules.audience);
    must(!out.overflowed());
    const std::string token = sign(keys()[1], {}, out.view());
    const auto again = api_token::verify_token(token, pointers(), rules);
    must(again && again->jti == claims.jti && again->sub == claims.sub && again->scope == claims.scope &&
         again->environment_id == claims.environment_id && again->issued_at == claims.issued_at &&
         again->expires_at == claims.expires_at);
}

void check_token(const std::string& token, const ClaimRules& rules)
{
    const auto claims = api_token::verify_token(token, pointers(), rules);
    if (!claims) {
        return;
    }
    check_signed(token);
    check_common(*claims, rules);
    must(api_token::is_pfid(claims->jti));
    must(api_token::partition_of(claims->jti) == api_token::partition_of(claims->sub));
    must(claims->scope == Scope::account ? claims->environment_id.empty()
                                         : api_token::is_pfid(claims->environment_id));
    check_end(token, *claims, rules);
    check_written(*claims, rules);
    check_changed(token, static_cast<std::size_t>(claims->issued_at), rules);
}

void check_admin(const std::string& token, const ClaimRules& rules)
{
    const auto claims = api_token::verify_admin(token, pointers(), rules);
    if (claims) {
        check_signed(token);
        check_common(*claims, rules);
        must(claims->account_id.empty() || api_token::is_pfid(claims->account_id));
    }
}

} // namespace

/// A character of choices, and a token; or, to be signed by the key that they choose, a header (empty: the
/// key's own) on a line of its own and claims.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input(data, size);
    const unsigned choice = input.choice();
    const ClaimRules rules{choice & 1 ? "https://issuer.example" : "", choice & 2 ? "api" : "", now};
    std::string token(input.rest());
    if (choice & 4) {
        const std::string header = input.line();
        token = sign(keys()[(choice >> 3) % 3], header, input.rest());
    }
    check_token(token, rules);
    check_admin(token, rules);
    must(!api_token::verify_token(token, {}, rules));
    return 0;
}
