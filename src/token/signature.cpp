#include "key_state.hpp"

#include <openssl/rsa.h>

#include <array>
#include <optional>

namespace api_token {

namespace {

using openssl::bytes;
using openssl::Pkey;
using openssl::PkeyContext;

using Start = int (*)(EVP_PKEY_CTX*);

/// A context of `pkey` that sets out to sign or to verify `digest`; with a `padding` for RSA. The salt of PSS
/// is as long as the hash (RFC 7518 §3.5).
PkeyContext start(Start start_function, EVP_PKEY* pkey, const EVP_MD* digest, std::optional<int> padding)
{
    PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
    if (context == nullptr || start_function(context.get()) != 1 ||
        (padding && EVP_PKEY_CTX_set_rsa_padding(context.get(), *padding) != 1) ||
        EVP_PKEY_CTX_set_signature_md(context.get(), digest) != 1 ||
        (padding == RSA_PKCS1_PSS_PADDING &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return nullptr;
    }
    return context;
}

/// Signs and verifies the hash of a text, by contexts that are made once.
class HashSigner {
public:
    bool prepare(Algorithm algorithm, Pkey pkey, bool is_private, std::optional<int> padding)
    {
        pkey_ = std::move(pkey);
        digest_.reset(EVP_MD_fetch(nullptr, facts(algorithm).digest, nullptr));
        hash_context_.reset(EVP_MD_CTX_new());
        if (digest_ == nullptr || hash_context_ == nullptr) {
            return false;
        }
        verifying_ = start(EVP_PKEY_verify_init, pkey_.get(), digest_.get(), padding);
        if (is_private) {
            signing_ = start(EVP_PKEY_sign_init, pkey_.get(), digest_.get(), padding);
        }
        return verifying_ != nullptr && (signing_ != nullptr || !is_private);
    }

    std::size_t bits() const { return static_cast<std::size_t>(EVP_PKEY_get_bits(pkey_.get())); }

    /// Bytes written to `out`, 0 when OpenSSL fails.
    std::size_t sign(std::string_view input, std::span<unsigned char> out)
    {
        Hash hash;
        std::size_t written = out.size();
        if (!compute(input, hash) ||
            EVP_PKEY_sign(signing_.get(), out.data(), &written, hash.bytes.data(), hash.size) != 1) {
            return 0;
        }
        return written;
    }

    bool verify(std::string_view input, std::span<const unsigned char> signature)
    {
        Hash hash;
        return compute(input, hash) && EVP_PKEY_verify(verifying_.get(), signature.data(), signature.size(),
                                                       hash.bytes.data(), hash.size) == 1;
    }

private:
    struct Hash {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
        unsigned size;
    };

    bool compute(std::string_view input, Hash& hash)
    {
        return EVP_DigestInit_ex2(hash_context_.get(), digest_.get(), nullptr) == 1 &&
               EVP_DigestUpdate(hash_context_.get(), input.data(), input.size()) == 1 &&
               EVP_DigestFinal_ex(hash_context_.get(), hash.bytes.data(), &hash.size) == 1;
    }

    Pkey pkey_;
    openssl::Digest digest_;
    openssl::DigestContext hash_context_;
    PkeyContext signing_;
    PkeyContext verifying_;
};

/// RFC 7518 §3.3 and §3.5: a signature has the length of the modulus.
class Rsa final : public Key::State {
public:
    explicit Rsa(HashSigner signer) : signer_(std::move(signer)), bytes_((signer_.bits() + 7) / 8) {}

    std::size_t signature_bytes() const override { return bytes_; }

    bool sign(std::string_view input, char* out) override
    {
        return signer_.sign(input, {bytes(out), bytes_}) == bytes_;
    }

    bool verify(std::string_view input, std::string_view signature) override
    {
        return signer_.verify(input, {bytes(signature), signature.size()});
    }

private:
    HashSigner signer_;
    std::size_t bytes_;
};

/// RFC 7518 §3.4: a signature is R and S, each in the full width of the field; OpenSSL's is DER.
class Ecdsa final : public Key::State {
public:
    explicit Ecdsa(HashSigner signer) : signer_(std::move(signer)), width_((signer_.bits() + 7) / 8) {}

    std::size_t signature_bytes() const override { return 2 * width_; }

    bool sign(std::string_view input, char* out) override
    {
        std::array<unsigned char, der_max_bytes> der;
        const unsigned char* at = der.data();
        const std::size_t written = signer_.sign(input, der);
        const openssl::EcdsaSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(written)));
        const int width = static_cast<int>(width_);
        return signature != nullptr &&
               BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes(out), width) == width &&
               BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes(out + width_), width) == width;
    }

    bool verify(std::string_view input, std::string_view signature) override
    {
        std::array<unsigned char, der_max_bytes> der;
        const std::size_t size = write_der(signature, der.data());
        return size != 0 && signer_.verify(input, {der.data(), size});
    }

private:
    /// Two integers of 66 bytes with a zero before each, their heads, and the head of the sequence.
    static constexpr std::size_t der_max_bytes = 144;

    std::size_t write_der(std::string_view signature, unsigned char* out) const
    {
        const int width = static_cast<int>(width_);
        openssl::Bignum r(BN_bin2bn(bytes(signature), width, nullptr));
        openssl::Bignum s(BN_bin2bn(bytes(signature) + width, width, nullptr));
        const openssl::EcdsaSignature pair(ECDSA_SIG_new());
        if (r == nullptr || s == nullptr || pair == nullptr ||
            ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) {
            return 0;
        }
        static_cast<void>(r.release());
        static_cast<void>(s.release());
        const int size = i2d_ECDSA_SIG(pair.get(), &out);
        return size > 0 ? static_cast<std::size_t>(size) : 0;
    }

    HashSigner signer_;
    std::size_t width_;
};

/// RFC 8037 §3.1. A context that knows its key starts again without one.
class Eddsa final : public Key::State {
public:
    bool prepare(Pkey pkey, bool is_private)
    {
        pkey_ = std::move(pkey);
        signing_.reset(EVP_MD_CTX_new());
        verifying_.reset(EVP_MD_CTX_new());
        return signing_ != nullptr && verifying_ != nullptr &&
               EVP_DigestVerifyInit_ex(verifying_.get(), nullptr, nullptr, nullptr, nullptr, pkey_.get(),
                                       nullptr) == 1 &&
               (!is_private || EVP_DigestSignInit_ex(signing_.get(), nullptr, nullptr, nullptr, nullptr,
                                                     pkey_.get(), nullptr) == 1);
    }

    std::size_t signature_bytes() const override { return 64; }

    bool sign(std::string_view input, char* out) override
    {
        std::size_t written = signature_bytes();
        return EVP_DigestSignInit_ex(signing_.get(), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) ==
                   1 &&
               EVP_DigestSign(signing_.get(), bytes(out), &written, bytes(input), input.size()) == 1 &&
               written == signature_bytes();
    }

    bool verify(std::string_view input, std::string_view signature) override
    {
        return EVP_DigestVerifyInit_ex(verifying_.get(), nullptr, nullptr, nullptr, nullptr, nullptr,
                                       nullptr) == 1 &&
               EVP_DigestVerify(verifying_.get(), bytes(signature), signature.size(), bytes(input),
                                input.size()) == 1;
    }

private:
    Pkey pkey_;
    openssl::DigestContext signing_;
    openssl::DigestContext verifying_;
};

} // namespace

std::unique_ptr<Key::State> make_rsa(Algorithm algorithm, Pkey pkey, bool is_private)
{
    HashSigner signer;
    const bool pss = facts(algorithm).family == Family::pss;
    if (!signer.prepare(algorithm, std::move(pkey), is_private,
                        pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING)) {
        return nullptr;
    }
    return std::make_unique<Rsa>(std::move(signer));
}

std::unique_ptr<Key::State> make_ecdsa(Algorithm algorithm, Pkey pkey, bool is_private)
{
    HashSigner signer;
    if (!signer.prepare(algorithm, std::move(pkey), is_private, std::nullopt)) {
        return nullptr;
    }
    return std::make_unique<Ecdsa>(std::move(signer));
}

std::unique_ptr<Key::State> make_eddsa(Pkey pkey, bool is_private)
{
    auto state = std::make_unique<Eddsa>();
    if (!state->prepare(std::move(pkey), is_private)) {
        return nullptr;
    }
    return state;
}

} // namespace api_token
