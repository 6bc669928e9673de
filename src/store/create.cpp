#include "create.hpp"

#include "record.hpp"

namespace store {

namespace {

// KEYS: the token; the account's three orders; the idempotency key, if any
// ARGV: id, inserted_at, expires_at, end of the record or "" where only a token that is there is wanted, what
//   was asked for, account_id, token_scope, and by name and value the fields that may be null
// What may be of another type comes first: an error that Redis meets leaves what was written before.
// Answers 1 when the token is stored; the id and the record of the idempotency key's first token; or "other"
// when the key was used for something else, "deleted" when its token is gone, "unknown" when it is not there.
const redis::Script script{lua_keep, "if KEYS[5] then", lua_record, R"lua(
  local first = redis.call('GET', KEYS[5])
  if first then
    if string.sub(first, 33) ~= ARGV[5] then return 'other' end
    local id = string.sub(first, 1, 32)
    local fields = record(string.sub(KEYS[1], 1, -33) .. id)
    return fields[1] and {id, fields} or 'deleted'
  end
  if ARGV[4] == '' then return 'unknown' end
end
if redis.call('ZCOUNT', KEYS[3], '-inf', ARGV[2]) > 0 then)lua", lua_drop, lua_forget, R"lua(
  forget({KEYS[2], KEYS[3], KEYS[4]}, string.sub(KEYS[1], 1, -33), ARGV[2], 100)
end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
keep({KEYS[2], KEYS[3]}, ARGV[4], ARGV[2])
redis.call('HSET', KEYS[1], 'account_id', ARGV[6], 'token_scope', ARGV[7], 'status', 'active',
  'inserted_at', ARGV[2], 'updated_at', ARGV[2], 'expires_at', ARGV[3], unpack(ARGV, 8))
redis.call('EXPIREAT', KEYS[1], ARGV[4])
if KEYS[5] then redis.call('SET', KEYS[5], ARGV[1] .. ARGV[5], 'EX', 86400) end
return 1
)lua"};

/// The same request means the same token, also when it is repeated later: a time that was not asked for is no
/// part of it.
std::string_view fingerprint(ngx_pool_t* pool, const api_token::CreateRequest& wanted)
{
    auto expires_at = api_token::format_date_time(wanted.expires_at);
    std::string_view time(expires_at.data(), expires_at.size());
    return ngx::concat(pool, {api_token::name(wanted.scope), " ", wanted.environment_id, " ",
                              wanted.expires_at_given ? time : std::string_view("-")});
}

} // namespace

Create::Create(ngx::Request& request, Store& store, const api_token::Token& token,
               const api_token::CreateRequest& wanted, api_token::Seconds retention)
    : Eval(request, store.writing_server(), script), request_(request), token_(token)
{
    Keys keys(request.pool(), store.prefix());
    key(keys.token(token.id));
    for (auto order : account_orders)
        key(keys.account(token.account_id, order));
    bool is_idempotent = !wanted.idempotency_key.empty();
    if (is_idempotent)
        key(keys.idempotency(token.account_id, wanted.idempotency_key));

    argument(token.id).argument(token.inserted_at).argument(token.expires_at);
    wanted.expiry_problem ? argument("") : argument(token.expires_at + retention);
    argument(is_idempotent ? fingerprint(request.pool(), wanted) : "");

    argument(token.account_id).argument(name(token.scope));
    if (!token.environment_id.empty())
        argument("environment_id").argument(token.environment_id);
    if (!token.created_by_admin_user_id.empty())
        argument("created_by_admin_user_id").argument(token.created_by_admin_user_id);
}

api_token::Result<Created, redis::Failure> Create::await_resume() const
{
    auto reply = Eval::await_resume();
    if (!reply)
        return reply.error();
    if (reply->integer() == 1)
        return Created{Created::Outcome::stored, token_};
    if (reply->text() == "other")
        return Created{Created::Outcome::key_used_for_other_details, {}};
    if (reply->text() == "deleted")
        return Created{Created::Outcome::deleted, {}};
    if (reply->text() == "unknown")
        return Created{Created::Outcome::unknown, {}};
    auto token = read_record(request_.pool(), (*reply)[0].text(), (*reply)[1]);
    if (!token)
        return redis::Failure::rejected;
    return Created{Created::Outcome::stored, *token};
}

} // namespace store
