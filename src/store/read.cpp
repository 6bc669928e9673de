#include "read.hpp"

#include "record.hpp"

namespace store {

namespace {

// KEYS: the token. Answers its record.
const redis::Script script{lua_record, "return record(KEYS[1])"};

} // namespace

Read::Read(ngx::Request& request, Store& store, std::string_view id)
    : Eval(request, store.server(), script), request_(request), id_(id)
{
    key(Keys(request.pool(), store.prefix()).token(id));
}

api_token::Result<std::optional<api_token::Token>, redis::Failure> Read::await_resume() const
{
    auto reply = Eval::await_resume();
    if (!reply)
        return reply.error();
    if ((*reply)[0].is_nil())
        return std::optional<api_token::Token>();
    auto token = read_record(request_.pool(), id_, *reply);
    if (!token)
        return redis::Failure::rejected;
    return token;
}

} // namespace store
