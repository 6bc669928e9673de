#pragma once

#include "tls.hpp"

#include <algorithm>
#include <array>

namespace redis {

/// Where something listens: a path, or a host and a port.
class Address {
public:
    Address() = default;
    /// A host that is too long for one is none. `name` is what a numeric host was found by.
    Address(std::string_view host, int port, std::string_view name = {}) : name_(name), port_(port)
    {
        if (host.size() < host_.size())
            std::copy(host.begin(), host.end(), host_.begin());
    }

    const char* host() const { return host_.data(); }
    int port() const { return port_; }
    bool is_path() const { return host_[0] == '/'; }
    bool is_numeric() const;
    /// Empty where there is nothing to look up.
    std::string_view name() const;
    /// Whom a certificate there must name.
    std::string_view identity() const { return name().empty() ? host() : name(); }
    bool operator==(const Address& other) const { return host_ == other.host_ && port_ == other.port_; }

private:
    std::array<char, 256> host_{};
    std::string_view name_;
    int port_ = 0;
};

/// How the Redis of a URL is found.
enum class Topology : std::uint8_t { single, sentinel, cluster };

/// Where a Redis is and how it is asked. The texts end with a NUL behind them.
struct Options {
    /// As the configuration writes it, for the log.
    std::string_view url;
    Topology topology = Topology::single;
    /// Of the Redis, of its sentinels, or of some of its nodes.
    std::span<const Address> addresses;
    /// The name that sentinels know it by.
    std::string_view master;
    /// Empty for database 0.
    std::string_view database;
    /// Empty for the default user.
    std::string_view user;
    /// Empty where Redis asks for none.
    std::string_view password;
    /// Null without TLS; the files that it was made of.
    const Tls* tls = nullptr;
    std::string_view ca;
    std::string_view cert;
    std::string_view key;
    ngx_msec_t connect_timeout = 1000;
    ngx_msec_t timeout = 500;
    /// That must have a write before it is acknowledged; 0: none is waited for.
    unsigned replicas = 0;

    /// The URL says all that the fields before `user` do.
    bool operator==(const Options& other) const
    {
        return url == other.url && user == other.user && password == other.password && ca == other.ca &&
               cert == other.cert && key == other.key && connect_timeout == other.connect_timeout &&
               timeout == other.timeout && replicas == other.replicas;
    }
};

} // namespace redis
