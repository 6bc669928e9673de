#include "key.hpp"

#include "base64url.hpp"
#include "json.hpp"
#include "key_state.hpp"

#include <array>

namespace api_token {

namespace {

/// Of a `kid` of 128 characters, each of four bytes, or of one that is escaped.
constexpr std::size_t header_max_bytes = 640;

std::string encode_header(Algorithm algorithm, std::string_view kid)
{
    std::array<char, header_max_bytes> memory;
    Writer json(memory);
    json.raw(R"({"alg":")").raw(name(algorithm)).raw(R"(","typ":"JWT")");
    if (!kid.empty()) {
        json.raw(R"(,"kid":)").string(kid);
    }
    json.raw("}");
    std::string header(base64url_length(json.view().size()), '\0');
    base64url_encode(json.view(), header.data());
    return header;
}

} // namespace

Key::Key(std::unique_ptr<State> state) : state_(std::move(state)) {}
Key::Key(Key&&) noexcept = default;
Key& Key::operator=(Key&&) noexcept = default;
Key::~Key() = default;

Algorithm Key::algorithm() const
{
    return state_->algorithm;
}

std::string_view Key::kid() const
{
    return state_->kid;
}

std::string_view Key::header() const
{
    return state_->header;
}

const Sha256& Key::fingerprint() const
{
    return state_->fingerprint;
}

bool Key::can_sign() const
{
    return state_->can_sign;
}

std::size_t Key::signature_capacity() const
{
    return state_->signature_bytes();
}

std::string_view Key::sign(std::string_view input, std::span<char> out) const
{
    const std::size_t size = state_->signature_bytes();
    if (!state_->can_sign || out.size() < size) {
        return {};
    }
    if (!state_->sign(input, out.data())) {
        ERR_clear_error();
        return {};
    }
    return {out.data(), size};
}

bool Key::verify(std::string_view input, std::string_view signature) const
{
    if (signature.size() != state_->signature_bytes()) {
        return false;
    }
    if (!state_->verify(input, signature)) {
        ERR_clear_error();
        return false;
    }
    return true;
}

Key finish_key(std::unique_ptr<Key::State> state, Algorithm algorithm, KeyLabel label, bool is_private)
{
    state->algorithm = algorithm;
    state->header = encode_header(algorithm, label.kid);
    state->kid = std::move(label.kid);
    state->can_sign = is_private && label.may_sign;
    return Key(std::move(state));
}

} // namespace api_token
