#include "record.hpp"

#include "token/digest.hpp"
#include "token/pfid.hpp"

#include <algorithm>

namespace store {

const std::string_view lua_record = R"lua(
local function record(key)
  return redis.call('HMGET', key, 'account_id', 'environment_id', 'created_by_admin_user_id', 'token_scope',
    'status', 'inserted_at', 'updated_at', 'expires_at', 'last_used_at')
end
)lua";

const std::string_view lua_drop = R"lua(
local function drop(orders, ids)
  for first = 1, #ids, 1000 do
    for _, key in ipairs(orders) do redis.call('ZREM', key, unpack(ids, first, math.min(first + 999, #ids))) end
  end
end
)lua";

const std::string_view lua_keep = R"lua(
local function keep(orders, ends, now)
  local left = redis.call('TTL', orders[1])
  local is_new = left == -1 and redis.call('ZCARD', orders[1]) == 1
  if is_new or left >= 0 and now + left < ends + 3600 then
    for _, key in ipairs(orders) do redis.call('EXPIREAT', key, ends + 90000) end
  end
end
)lua";

const std::string_view lua_forget = R"lua(
local function look_at(ids, orders, token_key, now)
  local gone, added = {}, 0
  for _, id in ipairs(ids) do
    local left = redis.call('PTTL', token_key .. id)
    if left == -2 then
      gone[#gone + 1] = id
    else
      local ends = left == -1 and 'inf' or now + math.floor(left / 1000)
      local new = redis.pcall('ZADD', orders[3], ends, id)
      added = added + (type(new) == 'number' and new or 0)
    end
  end
  if added > 0 then
    local left = redis.call('TTL', orders[1])
    if left >= 0 then redis.call('EXPIREAT', orders[3], now + left) end
  end
  return (pcall(drop, orders, gone) and #gone or 0) + added
end
local function forget(orders, token_key, now, most)
  local known = redis.call('ZCARD', orders[3])
  local new = redis.call('ZCOUNT', orders[2], '-inf', now) - known
  local more = false
  if new > 0 then
    local ids = redis.call('ZRANGE', orders[2], known, known + math.min(new, most) - 1)
    more = look_at(ids, orders, token_key, now) > 0 and new > most
  end
  local ids = redis.call('ZRANGEBYSCORE', orders[3], '-inf', now, 'LIMIT', 0, most)
  return look_at(ids, orders, token_key, now) > 0 and #ids == most or more
end
)lua";

char* write_token_key(char* out, std::string_view prefix, std::string_view id)
{
    for (auto part :
         {prefix, std::string_view("{"), api_token::partition_text(id), std::string_view("}:token:"), id})
        out = std::copy(part.begin(), part.end(), out);
    return out;
}

std::optional<api_token::Token> read_record(ngx_pool_t* pool, std::string_view id, redis::Reply record)
{
    auto scope = api_token::parse_scope(record[3].text());
    auto status = api_token::parse_stored_status(record[4].text());
    api_token::Token token{
        .id = ngx::copy(pool, id),
        .account_id = ngx::copy(pool, record[0].text()),
        .environment_id = ngx::copy(pool, record[1].text()),
        .created_by_admin_user_id = ngx::copy(pool, record[2].text()),
        .inserted_at = record[5].integer(),
        .updated_at = record[6].integer(),
        .expires_at = record[7].integer(),
        .last_used_at = record[8].integer(),
    };
    bool has_memory = token.id.data() && token.account_id.data() && token.environment_id.data() &&
                      token.created_by_admin_user_id.data();
    if (!scope || !status || !has_memory || !api_token::is_pfid(token.account_id))
        return std::nullopt;
    token.scope = *scope;
    token.stored_status = *status;
    return token;
}

std::string_view Keys::tokens(std::string_view id) const
{
    return ngx::concat(pool_, {prefix_, "{", api_token::partition_text(id), "}:token:"});
}

std::string_view Keys::accounts(std::string_view id) const
{
    return ngx::concat(pool_, {prefix_, "{", api_token::partition_text(id), "}:account:"});
}

std::string_view Keys::token(std::string_view id) const
{
    return ngx::concat(pool_, {prefix_, "{", api_token::partition_text(id), "}:token:", id});
}

std::string_view Keys::account(std::string_view account_id, std::string_view order) const
{
    auto partition = api_token::partition_text(account_id);
    return ngx::concat(pool_, {prefix_, "{", partition, "}:account:", account_id, ":", order});
}

std::string_view Keys::idempotency(std::string_view account_id, std::string_view key) const
{
    auto digest = api_token::sha256(key);
    if (!digest)
        return {};
    auto text = api_token::hex(*digest);
    auto partition = api_token::partition_text(account_id);
    return ngx::concat(
        pool_, {prefix_, "{", partition, "}:idempotency:", account_id, ":", {text.data(), text.size()}});
}

} // namespace store
