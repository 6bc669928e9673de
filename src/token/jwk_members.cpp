#include "jwk_members.hpp"

#include "base64url.hpp"

#include <algorithm>

namespace api_token {

namespace {

using openssl::Wiped;

constexpr std::size_t kid_max_characters = 128;

/// RFC 20 and the C1 set, in UTF-8.
bool has_control(std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool high =
            byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte < 0x20 || byte == 0x7f || high) {
            return true;
        }
    }
    return false;
}

std::size_t characters(std::string_view utf8)
{
    const auto is_first = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; };
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), is_first));
}

std::string read_kid(const json_t* kid, KeyLabel& label)
{
    const std::string_view text = json_text(kid);
    if (kid != nullptr && (text.empty() || characters(text) > kid_max_characters || has_control(text))) {
        return "member \"kid\" must be a string of 1 to 128 characters, none of them a control character";
    }
    label.kid = text;
    return {};
}

std::string read_algorithm(const json_t* alg, KeyLabel& label)
{
    label.algorithm = parse_algorithm(json_text(alg));
    if (alg != nullptr && !label.algorithm) {
        return "member \"alg\" must be HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
               "ES384, ES512 or EdDSA";
    }
    return {};
}

bool holds(const json_t* texts, std::string_view wanted)
{
    for (std::size_t i = 0; i < json_array_size(texts); ++i) {
        if (json_text(json_array_get(texts, i)) == wanted) {
            return true;
        }
    }
    return false;
}

std::string read_operations(const json_t* operations, KeyLabel& label)
{
    if (operations == nullptr) {
        return {};
    }
    label.may_sign = holds(operations, "sign");
    if (!label.may_sign && !holds(operations, "verify")) {
        return "member \"key_ops\" must be an array that holds \"sign\" or \"verify\"";
    }
    return {};
}

} // namespace

void JwkMembers::fail(const char* member, std::string_view what)
{
    if (error_.empty()) {
        error_.append("member \"").append(member).append("\" ").append(what);
    }
}

Wiped JwkMembers::bytes(const char* member)
{
    const std::string_view encoded = text(member);
    Wiped decoded(encoded.size());
    const auto written = base64url_decode(encoded, decoded.span());
    if (!written || written->empty()) {
        fail(member, has(member) ? "must be a string of base64url, without padding" : "is missing");
        return Wiped(0);
    }
    decoded.cut(written->size());
    return decoded;
}

Wiped JwkMembers::bytes(const char* member, std::size_t width)
{
    Wiped decoded = bytes(member);
    if (decoded.view().size() != width) {
        fail(member, "must hold " + std::to_string(width) + " bytes, leading zeros with them, and holds " +
                         std::to_string(decoded.view().size()));
    }
    return decoded;
}

Result<KeyLabel, std::string> read_label(const json_t* jwk)
{
    KeyLabel label;
    const json_t* use = json_object_get(jwk, "use");
    if (use != nullptr && json_text(use) != "sig") {
        return std::string("member \"use\" must be \"sig\": a key for encryption signs nothing");
    }
    std::string error = read_operations(json_object_get(jwk, "key_ops"), label);
    if (error.empty()) {
        error = read_algorithm(json_object_get(jwk, "alg"), label);
    }
    if (error.empty()) {
        error = read_kid(json_object_get(jwk, "kid"), label);
    }
    if (!error.empty()) {
        return error;
    }
    return label;
}

} // namespace api_token
