#pragma once

#include "ngx/nginx.hpp"
#include "token/digest.hpp"
#include "token/identity.hpp"

#include <optional>

namespace store {

/// What Redis says of a token's status.
enum class Standing : std::uint8_t { active, suspended, revoked, expired, unknown };

/// What the cache knows of a presented token.
struct Known {
    Standing standing;
    /// Whether it may be believed without asking Redis.
    bool is_current;
    /// When Redis was asked.
    api_token::Seconds asked_at;
    /// Whether its last use is to be written back in a while, if whoever found it can claim that.
    bool is_use_due;
};

/// Tells whether what Redis answers may be remembered: not when the token changed, or nobody listened,
/// meanwhile.
struct Moment {
    std::uint32_t channel;
    std::uint32_t epoch;
    std::uint32_t generation;
    bool is_heard;

    bool operator==(const Moment&) const = default;
};

/// Where nothing is believed.
inline constexpr std::uint32_t no_channel = 0xffffffff;

/// The memory that workers share of which tokens are known. An entry has two keys: the digest of the
/// presented token (with all that it was verified by) finds it, the token's id forgets it. The least recently
/// used entry, to the second, goes when the memory is full. It holds digests and ids, no token and no secret.
///
/// Believed is an entry for `valid` (one that is not active for at most 5 s), and only while somebody hears
/// of changes in its Redis without a break since it was made: losing a listener starts a new epoch, and
/// entries of an old one are asked for again. A listener counts for a second after it last heard of Redis.
class Cache {
public:
    Cache(ngx_shm_zone_t* zone, time_t valid, time_t stale) : zone_(zone), valid_(valid), stale_(stale) {}

    /// Lays out the memory; an nginx before this one may have filled it.
    ngx_int_t attach(void* previous);

    /// `channel` is a store's number. A use is due to be written every `use_interval` seconds; 0 never.
    /// `identity` becomes that of the entry where there is one.
    std::optional<Known> find(const api_token::Sha256& digest, std::uint32_t channel, time_t use_interval,
                              api_token::Identity& identity);
    /// Before Redis is asked of a token.
    Moment now(std::uint32_t channel, std::string_view token_id);
    /// Whether it is remembered.
    bool remember(const api_token::Sha256& digest, std::uint32_t channel, const api_token::Identity& identity,
                  Standing standing, const Moment& asked);
    /// The token changed.
    void forget(std::string_view token_id);
    /// Which use of the token was written last, if the caller is the one to write the next; 0 where that is
    /// not known. Nobody else is until it takes the use, or for a little longer than the interval, since a
    /// worker may die.
    std::optional<api_token::Seconds> claim_use(const api_token::Sha256& digest, time_t use_interval);
    /// When the token was last used, to be written now; 0 where that is not known.
    api_token::Seconds take_use(const api_token::Sha256& digest);

    /// The number of the store of that name, which tells its Redis from another, shared by all workers;
    /// nothing when there are too many.
    std::optional<std::uint32_t> channel_of(std::string_view store_name);
    /// The caller hears of changes from now on, has heard of Redis, and hears no longer.
    void start_listening(std::uint32_t channel);
    void heard(std::uint32_t channel);
    /// Unless `is_orderly`, something may have been missed.
    void stop_listening(std::uint32_t channel, bool is_orderly);

    struct Size {
        std::uint32_t entries;
        std::uint64_t evictions;
    };
    Size size();
    /// Whether somebody hears of changes in the store.
    bool is_heard(std::uint32_t channel);
    /// Whether the caller is the one who counts the changes that are heard.
    bool is_first_listener(std::uint32_t channel);

    /// Whether a token that was known as active still passes while Redis cannot be asked.
    bool passes_unasked(const Known& known) const
    {
        return known.standing == Standing::active && is_younger(known.asked_at, valid_ + stale_) &&
               stale_ > 0;
    }

private:
    struct Shared;
    struct Entry;
    class Lock;

    /// What is of the future was asked before the clock was set back. Another worker may be a second ahead.
    static bool is_younger(api_token::Seconds asked_at, time_t age)
    {
        return asked_at <= ngx_time() + 1 && ngx_time() < asked_at + age;
    }

    Entry* find_entry(const api_token::Sha256& digest);
    Entry* take_entry();
    void unlink(Entry& entry);
    void touch(Entry& entry);
    bool is_current(const Entry& entry, std::uint32_t channel) const;

    ngx_shm_zone_t* zone_;
    time_t valid_;
    time_t stale_;
    Shared* shared_ = nullptr;
};

} // namespace store
