#pragma once

#include "ngx/timer.hpp"
#include "token/digest.hpp"
#include "token/identity.hpp"

namespace store {

class Store;

/// The uses of tokens that a worker is to write back to Redis, in the background. What cannot be written is
/// dropped: the next use is written.
class Uses {
public:
    explicit Uses(Store& store);
    Uses(const Uses&) = delete;
    Uses& operator=(const Uses&) = delete;

    void start(ngx_log_t* log);
    /// Writes what is waiting, while the connection is there.
    void stop();

    /// Writes in `delay` seconds at most when the token was last used by then, as the cache knows it by its
    /// digest. The cache may have lost what it knew: what is waiting to be written waits no second time.
    void write_later(const api_token::Sha256& digest, const api_token::Identity& identity, time_t delay);

private:
    struct Use;

    ngx_queue_t* bucket_of(const api_token::Sha256& digest);
    Use* find(const api_token::Sha256& digest);

    void write_first();
    void flush();
    void arm();

    Store& store_;
    ngx_log_t* log_ = nullptr;
    ngx::Timer<Uses, &Uses::flush> timer_{this, false};
    /// In the order that they fall due.
    ngx_queue_t waiting_;
    ngx_queue_t by_digest_[1 << 12];
};

} // namespace store
