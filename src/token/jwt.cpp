#include "jwt.hpp"

#include "base64url.hpp"
#include "pfid.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace api_token {

namespace {

/// Room for what a part of a token decodes to.
using Scratch = std::array<char, jwt_max_length>;

struct Parts {
    std::string_view header;
    std::string_view claims;
    std::string_view signature;
    /// Header, dot, claims: what is signed (RFC 7515 §5.1).
    std::string_view input;
};

/// RFC 7515 §7.1. An empty signature is left to the key to refuse.
std::optional<Parts> split(std::string_view token)
{
    if (token.size() > jwt_max_length) {
        return std::nullopt;
    }
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == token.npos || last == first || token.find('.', first + 1) != last) {
        return std::nullopt;
    }
    const Parts parts{token.substr(0, first), token.substr(first + 1, last - first - 1),
                      token.substr(last + 1), token.substr(0, last)};
    if (parts.header.empty() || parts.claims.empty()) {
        return std::nullopt;
    }
    return parts;
}

Json parse_part(std::string_view part, Scratch& scratch)
{
    const auto text = base64url_decode(part, scratch);
    return text ? parse_json_object(*text) : nullptr;
}

/// What a header says of the key. The texts live in `document` or in a key.
struct Header {
    Json document;
    std::string_view algorithm;
    std::optional<std::string_view> kid;
};

/// RFC 7515 §4.1. Of the other members only those that would change the meaning of the token matter: `crit`,
/// and `b64` (RFC 7797 §6). A key that a header brings along (jwk, jku, x5c, x5u) is never used.
Result<Header, Refusal> parse_header(std::string_view part, Scratch& scratch)
{
    Header header;
    header.document = parse_part(part, scratch);
    const json_t* members = header.document.get();
    const json_t* alg = json_object_get(members, "alg");
    const json_t* kid = json_object_get(members, "kid");
    if (!json_is_string(alg) || (kid != nullptr && !json_is_string(kid)) ||
        json_object_get(members, "crit") != nullptr || json_object_get(members, "b64") != nullptr) {
        return Refusal::malformed;
    }
    header.algorithm = json_text(alg);
    if (kid != nullptr) {
        header.kid = json_text(kid);
    }
    return header;
}

/// A header that a key itself writes needs no parsing: the key knows what it says.
Result<Header, Refusal> read_header(std::string_view part, std::span<const Key* const> keys, Scratch& scratch)
{
    const auto own =
        std::find_if(keys.begin(), keys.end(), [part](const Key* key) { return key->header() == part; });
    if (own == keys.end()) {
        return parse_header(part, scratch);
    }
    Header header{nullptr, name((*own)->algorithm()), std::nullopt};
    if (!(*own)->kid().empty()) {
        header.kid = (*own)->kid();
    }
    return header;
}

/// RFC 8725 §3.1: the key says which algorithm it is for, and the header must agree. A key without a kid is
/// not the one that an empty `kid` means.
bool goes_with(const Key& key, const Header& header)
{
    return name(key.algorithm()) == header.algorithm &&
           (!header.kid || (!key.kid().empty() && key.kid() == *header.kid));
}

std::optional<Refusal> check_signature(const Parts& parts, const Header& header,
                                       std::span<const Key* const> keys, Scratch& scratch)
{
    const auto signature = base64url_decode(parts.signature, scratch);
    if (!signature) {
        return Refusal::malformed;
    }
    Refusal refusal = Refusal::key;
    for (const Key* key : keys) {
        if (!goes_with(*key, header)) {
            continue;
        }
        if (key->verify(parts.input, *signature)) {
            return std::nullopt;
        }
        refusal = Refusal::signature;
    }
    return refusal;
}

/// The claims of a token that a key signed.
Result<Json, Refusal> open(std::string_view token, std::span<const Key* const> keys)
{
    const std::optional<Parts> parts = split(token);
    if (!parts) {
        return Refusal::malformed;
    }
    Scratch scratch;
    const auto header = read_header(parts->header, keys, scratch);
    if (!header) {
        return header.error();
    }
    if (const auto refusal = check_signature(*parts, *header, keys, scratch)) {
        return *refusal;
    }
    Json claims = parse_part(parts->claims, scratch);
    if (claims == nullptr) {
        return Refusal::malformed;
    }
    return claims;
}

/// RFC 7519 §2, NumericDate: a fraction is cut, and what a double may have rounded is not a time.
std::optional<Seconds> numeric_date(const json_t* value)
{
    constexpr Seconds limit = Seconds{1} << 53;
    if (json_is_integer(value)) {
        const Seconds time = json_integer_value(value);
        return time >= -limit && time <= limit ? std::optional(time) : std::nullopt;
    }
    const double time = json_is_real(value) ? json_real_value(value) : 2.0 * limit;
    if (time < -static_cast<double>(limit) || time > static_cast<double>(limit)) {
        return std::nullopt;
    }
    return static_cast<Seconds>(time);
}

bool is_text(const json_t* value, std::string_view expected)
{
    return json_is_string(value) && json_text(value) == expected;
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
bool names_audience(const json_t* aud, std::string_view audience)
{
    bool found = is_text(aud, audience);
    for (std::size_t i = 0; i < json_array_size(aud); ++i) {
        const json_t* entry = json_array_get(aud, i);
        if (!json_is_string(entry)) {
            return false;
        }
        found = found || is_text(entry, audience);
    }
    return found;
}

/// RFC 7519 §4.1.4 and §4.1.5. A token without an end is none.
std::optional<Refusal> check_times(Claims& claims, Seconds now)
{
    const json_t* nbf = json_object_get(claims.document.get(), "nbf");
    const auto not_before = numeric_date(nbf);
    if (nbf != nullptr && !not_before) {
        return Refusal::malformed;
    }
    if (not_before.value_or(now) > now) {
        return Refusal::early;
    }
    const auto end = numeric_date(json_object_get(claims.document.get(), "exp"));
    if (!end) {
        return Refusal::malformed;
    }
    claims.expires_at = std::min(*end, last_second);
    return *end <= now ? std::optional(Refusal::expired) : std::nullopt;
}

Seconds issued_at(const json_t* iat)
{
    const Seconds time = numeric_date(iat).value_or(0);
    return time >= 0 && time <= last_second ? time : 0;
}

/// What API tokens and admins' JWTs have in common.
Result<Claims, Refusal> verify(std::string_view token, std::span<const Key* const> keys,
                               const ClaimRules& rules)
{
    auto document = open(token, keys);
    if (!document) {
        return document.error();
    }
    Claims claims;
    claims.document = std::move(*document);
    const json_t* members = claims.document.get();
    if (!rules.issuer.empty() && !is_text(json_object_get(members, "iss"), rules.issuer)) {
        return Refusal::issuer;
    }
    if (!rules.audience.empty() && !names_audience(json_object_get(members, "aud"), rules.audience)) {
        return Refusal::audience;
    }
    if (const auto refusal = check_times(claims, rules.now)) {
        return *refusal;
    }
    claims.issued_at = issued_at(json_object_get(members, "iat"));
    claims.sub = json_text(json_object_get(members, "sub"));
    if (!is_pfid(claims.sub)) {
        return Refusal::malformed;
    }
    return claims;
}

/// An environment's token names it, an account's has nothing or null there.
bool read_scope(Claims& claims)
{
    const json_t* members = claims.document.get();
    const json_t* environment = json_object_get(members, "environment_id");
    const auto scope = parse_scope(json_text(json_object_get(members, "token_scope")));
    if (!scope) {
        return false;
    }
    claims.scope = *scope;
    if (*scope == Scope::account) {
        return environment == nullptr || json_is_null(environment);
    }
    claims.environment_id = json_text(environment);
    return is_pfid(claims.environment_id);
}

bool read_token(Claims& claims)
{
    claims.jti = json_text(json_object_get(claims.document.get(), "jti"));
    return is_pfid(claims.jti) && partition_text(claims.jti) == partition_text(claims.sub) &&
           read_scope(claims);
}

/// An API token is no admin's, whatever keys a location has (RFC 8725 §3.12).
bool read_admin(Claims& claims)
{
    const json_t* members = claims.document.get();
    if (json_object_get(members, "token_scope") != nullptr &&
        is_pfid(json_text(json_object_get(members, "jti")))) {
        return false;
    }
    const json_t* account = json_object_get(members, "account_id");
    claims.account_id = json_text(account);
    return account == nullptr || is_pfid(claims.account_id);
}

constexpr std::array<std::string_view, 13> refusal_names{
    "missing", "malformed", "key",       "signature", "issuer", "audience",   "expired",
    "early",   "unknown",   "suspended", "revoked",   "scope",  "unavailable"};

} // namespace

std::string_view name(Refusal refusal)
{
    return refusal_names[static_cast<std::size_t>(refusal)];
}

std::size_t jwt_capacity(const Key& key, std::size_t claims)
{
    return key.header().size() + 1 + base64url_length(claims) + 1 +
           base64url_length(key.signature_capacity());
}

std::string_view sign_jwt(const Key& key, std::string_view claims, std::span<char> out)
{
    if (out.size() < jwt_capacity(key, claims.size())) {
        return {};
    }
    char* at = std::copy(key.header().begin(), key.header().end(), out.data());
    *at++ = '.';
    at += base64url_encode(claims, at);
    std::array<char, signature_max_bytes> memory;
    const std::string_view input(out.data(), static_cast<std::size_t>(at - out.data()));
    const std::string_view signature = key.sign(input, memory);
    if (signature.empty()) {
        return {};
    }
    *at++ = '.';
    at += base64url_encode(signature, at);
    return {out.data(), static_cast<std::size_t>(at - out.data())};
}

Result<Claims, Refusal> verify_token(std::string_view token, std::span<const Key* const> keys,
                                     const ClaimRules& rules)
{
    auto claims = verify(token, keys, rules);
    if (claims && !read_token(*claims)) {
        return Refusal::malformed;
    }
    return claims;
}

Result<Claims, Refusal> verify_admin(std::string_view token, std::span<const Key* const> keys,
                                     const ClaimRules& rules)
{
    auto claims = verify(token, keys, rules);
    if (claims && !read_admin(*claims)) {
        return Refusal::malformed;
    }
    return claims;
}

} // namespace api_token
