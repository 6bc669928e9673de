#pragma once

#include "redis/connection.hpp"

namespace store {

/// Where tokens are kept: a Redis, and the prefix of the keys there. A worker's operations share one
/// connection.
class Store {
public:
    Store(const redis::Options& options, std::string_view prefix) : connection_(options), prefix_(prefix) {}

    void start(ngx_log_t* log) { connection_.start(log); }
    void stop() { connection_.stop(); }

    redis::Connection& connection() { return connection_; }
    std::string_view prefix() const { return prefix_; }

private:
    redis::Connection connection_;
    std::string_view prefix_;
};

} // namespace store
