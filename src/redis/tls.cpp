#include "tls.hpp"

#include <algorithm>
#include <array>

#if (API_TOKEN_TLS)

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace redis {

namespace {

template <class T>
T without_errors(T result)
{
    ERR_clear_error();
    return result;
}

/// The certificate must be of that name, or that address.
bool expect(SSL* connection, const char* name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(connection, name) == 1 && SSL_set_tlsext_host_name(connection, name) == 1;
}

} // namespace

const char* Tls::missing()
{
    return nullptr;
}

Tls::~Tls()
{
    SSL_CTX_free(context_);
}

const char* Tls::trust(std::string_view ca)
{
    context_ = SSL_CTX_new(TLS_client_method());
    if (!context_)
        return "finds no memory";
    SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    // what is written again may lie elsewhere by then
    SSL_CTX_set_mode(context_, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    bool is_read = SSL_CTX_load_verify_locations(context_, ca.data(), nullptr) == 1;
    return without_errors(is_read ? nullptr : "is no readable file of certificates (PEM)");
}

const char* Tls::identify(std::string_view cert, std::string_view key)
{
    if (SSL_CTX_use_certificate_chain_file(context_, cert.data()) != 1)
        return without_errors("is no readable certificate (PEM)");
    bool fits = SSL_CTX_use_PrivateKey_file(context_, key.data(), SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_check_private_key(context_) == 1;
    return without_errors(fits ? nullptr : "does not fit key=, or that is no readable key (PEM)");
}

ssl_st* Tls::begin(redisContext* context, std::string_view name) const
{
    std::array<char, 256> text{};
    if (name.size() < text.size())
        std::copy(name.begin(), name.end(), text.begin());
    auto* connection = SSL_new(context_);
    bool is_begun =
        connection && expect(connection, text.data()) && redisInitiateSSL(context, connection) == REDIS_OK;
    if (is_begun)
        return without_errors(connection);
    SSL_free(connection);
    return without_errors(static_cast<SSL*>(nullptr));
}

void Tls::forget_errors()
{
    ERR_clear_error();
}

Tls::Handshake Tls::shake(ssl_st* connection)
{
    auto result = SSL_do_handshake(connection);
    auto error = without_errors(SSL_get_error(connection, result));
    if (result == 1)
        return Handshake::done;
    if (error == SSL_ERROR_WANT_READ)
        return Handshake::reads;
    return error == SSL_ERROR_WANT_WRITE ? Handshake::writes : Handshake::failed;
}

const char* Tls::reason(ssl_st* connection)
{
    auto verified = SSL_get_verify_result(connection);
    return verified == X509_V_OK ? "the TLS handshake failed" : X509_verify_cert_error_string(verified);
}

} // namespace redis

#else

namespace redis {

const char* Tls::missing()
{
    return "needs hiredis 1.0 or later with hiredis_ssl, which this build has not: let nginx's stream with "
           "proxy_ssl do TLS, and name its unix socket (docs/tls.md)";
}

Tls::~Tls() = default;

const char* Tls::trust(std::string_view)
{
    return missing();
}

const char* Tls::identify(std::string_view, std::string_view)
{
    return missing();
}

ssl_st* Tls::begin(redisContext*, std::string_view) const
{
    return nullptr;
}

void Tls::forget_errors() {}

Tls::Handshake Tls::shake(ssl_st*)
{
    return Handshake::failed;
}

const char* Tls::reason(ssl_st*)
{
    return missing();
}

} // namespace redis

#endif
