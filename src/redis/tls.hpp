#pragma once

#include "ngx/nginx.hpp"

struct redisContext;
struct ssl_ctx_st;
struct ssl_st;

namespace redis {

/// Connections by TLS: hiredis' own since 1.0, with the certificate's name checked too, which hiredis does
/// not.
class Tls {
public:
    /// What is missing in this build, or null.
    static const char* missing();

    Tls() = default;
    ~Tls();
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    /// Paths with a NUL behind them. Each answers what is wrong, or null.
    const char* trust(std::string_view ca);
    const char* identify(std::string_view cert, std::string_view key);

    /// Begins on a connected socket; the context owns what this answers. Null where that fails.
    ssl_st* begin(redisContext* context, std::string_view name) const;

    enum class Handshake { done, reads, writes, failed };
    static Handshake shake(ssl_st* connection);
    /// nginx takes what is left in OpenSSL's queue of errors for its own.
    static void forget_errors();
    /// Why it failed.
    static const char* reason(ssl_st* connection);

private:
    ssl_ctx_st* context_ = nullptr;
};

} // namespace redis
