#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/x509.h>

namespace api_token::openssl {

template <auto free_function>
struct Release {
    template <class T>
    void operator()(T* object) const
    {
        free_function(object);
    }
};

/// OSSL_PARAM_free does not wipe what lies outside the secure heap.
inline void wipe_params(OSSL_PARAM* params)
{
    for (OSSL_PARAM* param = params; param != nullptr && param->key != nullptr; ++param) {
        OPENSSL_cleanse(param->data, param->data_size);
    }
    OSSL_PARAM_free(params);
}

using Bignum = std::unique_ptr<BIGNUM, Release<BN_clear_free>>;
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Digest = std::unique_ptr<EVP_MD, Release<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;
using Mac = std::unique_ptr<EVP_MAC, Release<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Release<EVP_MAC_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Release<wipe_params>>;
using Pkey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;

inline const unsigned char* bytes(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

inline unsigned char* bytes(char* text)
{
    return reinterpret_cast<unsigned char*>(text);
}

/// Bytes that are wiped when they die.
class Wiped {
public:
    explicit Wiped(std::size_t size) : bytes_(size) {}
    Wiped(Wiped&&) noexcept = default;
    Wiped& operator=(Wiped&&) = delete;
    ~Wiped() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

    std::span<char> span() { return bytes_; }
    std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
    /// Keeps the first `size` bytes.
    void cut(std::size_t size)
    {
        OPENSSL_cleanse(bytes_.data() + size, bytes_.size() - size);
        bytes_.resize(size);
    }

private:
    std::vector<char> bytes_;
};

} // namespace api_token::openssl
