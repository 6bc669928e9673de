#pragma once

#include "ngx/nginx.hpp"
#include "redis/reply.hpp"
#include "token/token.hpp"

#include <array>
#include <optional>

namespace store {

/// Lua that the scripts share.
/// record(key): what read_record reads; its first element is false where there is no such record.
extern const std::string_view lua_record;

/// An account has three orders: all its tokens by inserted_at and by expires_at, and those that have expired
/// but are still kept, by when Redis drops them. drop(orders, ids): takes tokens out of them.
extern const std::string_view lua_drop;

/// keep(orders, when a token's record ends, now): Redis drops the orders an hour to a day after their last
/// token's record, so that an account that nobody asks for leaves nothing.
extern const std::string_view lua_keep;

/// forget(orders, token key without its id, now, most): drops the tokens whose records Redis has dropped. A
/// token is looked at when it has expired and when its record ends, at most `most` each at a time; answers
/// whether that was not enough. Where Redis cannot write, since it is full or a replica, nothing is dropped.
/// Stands behind lua_drop.
extern const std::string_view lua_forget;

/// A token as record() answered it, its texts copied to the pool. Nothing where there is no
/// such token, or no memory.
std::optional<api_token::Token> read_record(ngx_pool_t* pool, std::string_view id, redis::Reply record);

/// Characters of a token's key at most.
inline std::size_t token_key_capacity(std::string_view prefix)
{
    return prefix.size() + 64;
}

/// Writes the name of a token's key for a command that outlives its request; answers its end.
char* write_token_key(char* out, std::string_view prefix, std::string_view id);

/// The names of an account's three orders.
inline constexpr std::array<std::string_view, 3> account_orders = {"inserted_at", "expires_at", "ends_at"};

/// The names of the keys in Redis. All of an account's are in the hash slot of its partition. A name has a
/// null pointer where there was no memory for it.
class Keys {
public:
    Keys(ngx_pool_t* pool, std::string_view prefix) : pool_(pool), prefix_(prefix) {}

    std::string_view token(std::string_view id) const;
    std::string_view account(std::string_view account_id, std::string_view order) const;
    std::string_view idempotency(std::string_view account_id, std::string_view key) const;

    /// What the names of the tokens, and of the accounts, of that id's partition begin with.
    std::string_view tokens(std::string_view id) const;
    std::string_view accounts(std::string_view id) const;

    /// The channel on which the id of each token is published whose status changed.
    std::string_view changes() const { return ngx::concat(pool_, {prefix_, "changes"}); }

private:
    ngx_pool_t* pool_;
    std::string_view prefix_;
};

} // namespace store
