#include "key_files.hpp"
#include "key_state.hpp"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <limits>

namespace api_token {

namespace {

using openssl::Pkey;

/// A block as OpenSSL reads it, in memory that is wiped; not yet decrypted.
struct Block {
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long length = 0;

    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block()
    {
        OPENSSL_secure_free(label);
        OPENSSL_secure_free(header);
        OPENSSL_secure_clear_free(data, static_cast<std::size_t>(length));
    }

    bool read(BIO* from)
    {
        return PEM_read_bio_ex(from, &label, &header, &data, &length, PEM_FLAG_SECURE) == 1;
    }
};

enum class Content { private_key, public_key, parameters, encrypted, certificate, other };

Content content_of(const Block& block)
{
    const std::string_view label(block.label);
    const std::string_view header(block.header);
    if (label == "ENCRYPTED PRIVATE KEY" || header.find("ENCRYPTED") != header.npos) {
        return Content::encrypted;
    }
    if (label == "PRIVATE KEY" || label == "RSA PRIVATE KEY" || label == "EC PRIVATE KEY") {
        return Content::private_key;
    }
    if (label == "PUBLIC KEY") {
        return Content::public_key;
    }
    if (label == "EC PARAMETERS") {
        return Content::parameters;
    }
    return label.ends_with("CERTIFICATE") ? Content::certificate : Content::other;
}

std::string refusal(Content content, std::string_view label)
{
    switch (content) {
    case Content::encrypted:
        return "an encrypted key, and nobody to ask for its password: decrypt it with \"openssl pkey -in "
               "FILE\"";
    case Content::certificate:
        return "a certificate: write its key to a file with \"openssl x509 -in FILE -noout -pubkey\"";
    default:
        return std::string("a PEM block of ").append(label).append(": PRIVATE KEY or PUBLIC KEY is needed");
    }
}

/// Null also for bytes behind the key.
Pkey parse(const Block& block, bool is_private)
{
    const unsigned char* at = block.data;
    Pkey pkey(is_private ? d2i_AutoPrivateKey_ex(nullptr, &at, block.length, nullptr, nullptr)
                         : d2i_PUBKEY_ex(nullptr, &at, block.length, nullptr, nullptr));
    return at == block.data + block.length ? std::move(pkey) : nullptr;
}

Result<Key, std::string> make_key(const Block& block, Content content)
{
    const bool is_private = content == Content::private_key;
    if (!is_private && content != Content::public_key) {
        return refusal(content, block.label);
    }
    Pkey pkey = parse(block, is_private);
    if (pkey == nullptr) {
        return std::string("a PEM block of ")
            .append(block.label)
            .append(" that holds no key that OpenSSL can read");
    }
    return make_public_key(std::move(pkey), is_private, {});
}

std::size_t count_blocks(std::string_view text)
{
    constexpr std::string_view mark = "-----BEGIN ";
    std::size_t count = 0;
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + mark.size())) {
        ++count;
    }
    return count;
}

/// What is wrong, with the number of the block where there are several.
std::string in_block(std::size_t number, std::size_t count, const std::string& error)
{
    return count == 1 ? error : "PEM block " + std::to_string(number) + ": " + error;
}

} // namespace

Result<std::vector<Key>, std::string> load_pem(std::string_view text)
{
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return std::string("a PEM file that is too long");
    }
    const openssl::Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const std::size_t count = count_blocks(text);
    std::vector<Key> keys;
    for (std::size_t number = 1; number <= count; ++number) {
        Block block;
        if (bio == nullptr || !block.read(bio.get())) {
            return in_block(number, count, "a broken PEM block: its lines are not as they were written");
        }
        const Content content = content_of(block);
        if (content == Content::parameters) {
            continue;
        }
        auto key = make_key(block, content);
        if (!key) {
            return in_block(number, count, key.error());
        }
        keys.push_back(std::move(*key));
    }
    if (keys.empty()) {
        return std::string("a PEM file without a key");
    }
    return keys;
}

} // namespace api_token
