#pragma once

#include "cmocka.hpp"

#include "token/base64url.hpp"
#include "token/json.hpp"
#include "token/key.hpp"

#include <openssl/err.h>

#include <string>
#include <utility>
#include <vector>

/// The documents of t/data, and keys made of them. The keys of keys.json were generated for these tests and
/// are used nowhere else.

inline const json_t* read_document(const char* file)
{
    json_error_t error;
    json_t* document = json_load_file(data_path(file).c_str(), JSON_REJECT_DUPLICATES, &error);
    if (document == nullptr) {
        fail_msg("%s: %s", file, error.text);
    }
    return document;
}

inline const json_t* test_keys()
{
    static const json_t* const document = read_document("keys.json");
    return document;
}

inline const json_t* vectors()
{
    static const json_t* const document = read_document("jws_vectors.json");
    return json_object_get(document, "vectors");
}

inline std::string pem(const char* name)
{
    const auto text = api_token::json_text(json_object_get(json_object_get(test_keys(), "pem"), name));
    assert_false(text.empty());
    return std::string(text);
}

inline std::string json_of(const json_t* value)
{
    char* text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    std::string copy(text);
    std::free(text);
    return copy;
}

/// A JWK of keys.json, for a test to change.
class Jwk {
public:
    explicit Jwk(const char* name)
        : jwk_(json_deep_copy(json_object_get(json_object_get(test_keys(), "jwk"), name)))
    {
        assert_non_null(jwk_.get());
    }

    /// `value` is JSON text.
    Jwk& with(const char* member, std::string_view value)
    {
        json_t* parsed = json_loadb(value.data(), value.size(), JSON_DECODE_ANY, nullptr);
        assert_non_null(parsed);
        json_object_set_new(jwk_.get(), member, parsed);
        return *this;
    }

    Jwk& with_text(const char* member, std::string_view value)
    {
        json_object_set_new(jwk_.get(), member, json_stringn(value.data(), value.size()));
        return *this;
    }

    Jwk& without(std::initializer_list<const char*> members)
    {
        for (const char* member : members) {
            json_object_del(jwk_.get(), member);
        }
        return *this;
    }

    /// Leaves the public half.
    Jwk& make_public() { return without({"d", "p", "q", "dp", "dq", "qi"}); }

    std::string member(const char* name) const
    {
        return std::string(api_token::json_text(json_object_get(jwk_.get(), name)));
    }

    std::string text() const { return json_of(jwk_.get()); }

private:
    api_token::Json jwk_;
};

inline std::string encode(std::string_view bytes)
{
    std::string text(api_token::base64url_length(bytes.size()), '\0');
    api_token::base64url_encode(bytes, text.data());
    return text;
}

inline std::string decode(std::string_view text)
{
    std::string memory(text.size(), '\0');
    const auto bytes = api_token::base64url_decode(text, memory);
    assert_true(bytes.has_value());
    return std::string(*bytes);
}

inline std::vector<api_token::Key> load(const std::string& bytes)
{
    auto keys = api_token::load_keys(bytes);
    if (!keys) {
        fail_msg("%s", keys.error().c_str());
    }
    return std::move(*keys);
}

inline api_token::Key load_one(const std::string& bytes)
{
    auto keys = load(bytes);
    assert_int_equal(keys.size(), 1);
    return std::move(keys.front());
}

inline std::string sign(const api_token::Key& key, std::string_view input)
{
    std::string memory(key.signature_capacity(), '\0');
    return std::string(key.sign(input, memory));
}

struct AlgorithmRow {
    const char* algorithm;
    const char* key;
    const char* other_key;
};

/// A key for each algorithm, and a second of its type.
inline constexpr AlgorithmRow algorithm_rows[] = {
    {"HS256", "hs256", "hs512"},       {"HS384", "hs384", "hs512"},   {"HS512", "hs512", nullptr},
    {"RS256", "rsa", "rsa_other"},     {"RS384", "rsa", "rsa_other"}, {"RS512", "rsa", "rsa_other"},
    {"PS256", "rsa", "rsa_other"},     {"PS384", "rsa", "rsa_other"}, {"PS512", "rsa", "rsa_other"},
    {"ES256", "es256", "es256_other"}, {"ES384", "es384", nullptr},   {"ES512", "es512", nullptr},
    {"EdDSA", "eddsa", "eddsa_other"},
};

/// A file of keys that is refused for a reason that holds `fragment`.
inline void assert_refused(const std::string& bytes, std::string_view fragment)
{
    const auto keys = api_token::load_keys(bytes);
    if (keys) {
        fail_msg("loaded, but should say: %s", std::string(fragment).c_str());
    }
    if (keys.error().find(fragment) == std::string::npos) {
        fail_msg("says \"%s\", not \"%s\"", keys.error().c_str(), std::string(fragment).c_str());
    }
    assert_int_equal(ERR_peek_error(), 0);
}
