#include "transition.hpp"

#include "record.hpp"

namespace store {

namespace {

using api_token::Operation;

// KEYS: the token
// ARGV: id, the account that must have it or "", now, the statuses that allow it, retention, the channel of
// changes,
//       the status that comes of it or "" to remove it, what the names of an account's keys begin with
// Answers the record, 1 when the token is removed, "missing", or "not allowed".
const redis::Script script{lua_record, lua_drop, lua_keep, R"lua(
local id, account, now, allowed, retention, channel, status, account_keys = unpack(ARGV)
local fields = record(KEYS[1])
if not fields[1] or account ~= '' and fields[1] ~= account then return 'missing' end
local is = fields[5]
if is ~= 'revoked' and tonumber(fields[8]) <= tonumber(now) then is = 'expired' end
if not string.find(allowed, is, 1, true) then return 'not allowed' end
redis.call('PUBLISH', channel, id)
-- the orders may be at another node of a cluster by now, or of another type: they come first, and only where they must
local function orders()
  local keys = {}
  for i, order in ipairs({'inserted_at', 'expires_at', 'ends_at'}) do
    keys[i] = account_keys .. fields[1] .. ':' .. order
    redis.call('ZCARD', keys[i])
  end
  return keys
end
if status == '' then
  drop(orders(), {id})
  redis.call('DEL', KEYS[1])
  return 1
end
local ends = fields[8] + retention
local left = redis.call('TTL', KEYS[1])
-- the orders are there for an hour longer anyway
if left >= 0 and now + left + 3000 < ends then keep(orders(), ends, now) end
redis.call('HSET', KEYS[1], 'status', status, 'updated_at', now)
if left >= 0 and now + left < ends then redis.call('EXPIREAT', KEYS[1], ends) end
fields[5], fields[7] = status, now
return fields
)lua"};

/// The status that an action leads to, as it is stored; empty for none.
std::string_view status_after(Operation action)
{
    switch (action) {
    case Operation::activate:
        return name(api_token::StoredStatus::active);
    case Operation::suspend:
        return name(api_token::StoredStatus::suspended);
    case Operation::revoke:
        return name(api_token::StoredStatus::revoked);
    default:
        break;
    }
    return "";
}

/// The names of the statuses that allow an action, with spaces between them.
std::string_view statuses_that_allow(ngx_pool_t* pool, Operation action)
{
    using api_token::Status;
    std::string_view names = "";
    for (auto status : {Status::active, Status::suspended, Status::revoked, Status::expired})
        if (allows(status, action))
            names = ngx::concat(pool, {names, name(status), " "});
    return names;
}

} // namespace

Apply::Apply(ngx::Request& request, Store& store, Operation action, std::string_view id,
             std::string_view account_id, api_token::Seconds retention)
    : Eval(request, store.writing_server(), script), request_(request), id_(id)
{
    Keys keys(request.pool(), store.prefix());
    key(keys.token(id));
    argument(id).argument(account_id.empty() ? "" : account_id).argument(request.now());
    argument(statuses_that_allow(request.pool(), action)).argument(retention).argument(keys.changes());
    argument(status_after(action)).argument(keys.accounts(id));
}

api_token::Result<Transition, redis::Failure> Apply::await_resume() const
{
    auto reply = Eval::await_resume();
    if (!reply)
        return reply.error();
    if (reply->integer() == 1)
        return Transition{Transition::Outcome::done, {}};
    if (reply->text() == "missing")
        return Transition{Transition::Outcome::missing, {}};
    if (reply->text() == "not allowed")
        return Transition{Transition::Outcome::not_allowed, {}};
    auto token = read_record(request_.pool(), id_, *reply);
    if (!token)
        return redis::Failure::rejected;
    return Transition{Transition::Outcome::done, *token};
}

} // namespace store
