#include "list.hpp"

#include "record.hpp"

namespace store {

namespace {

// KEYS: the account's three orders
// ARGV: the token key without its id, now, which order, ZRANGE or ZREVRANGE, the first and the last place
// Answers how many tokens the account has, then the id and the record of each token of the page; or "again"
// after a part of the work, where so many records are gone that Redis would serve nobody else meanwhile.
const redis::Script script{lua_record, lua_drop, lua_forget, R"lua(
local token_key, now, order, range, first, last = unpack(ARGV)
if forget(KEYS, token_key, now, 1000) then return 'again' end
for _ = 1, 10 do
  local page, gone = {redis.call('ZCARD', KEYS[1])}, {}
  for _, id in ipairs(redis.call(range, KEYS[tonumber(order)], first, last)) do
    local fields = record(token_key .. id)
    if fields[1] then
      page[#page + 1] = id
      page[#page + 1] = fields
    else
      gone[#gone + 1] = id
    end
  end
  page[1] = page[1] - #gone
  if #gone == 0 or not pcall(drop, KEYS, gone) then return page end
end
return 'again'
)lua"};

} // namespace

List::List(ngx::Request& request, Store& store, std::string_view account_id,
           const api_token::ListQuery& query)
    : Eval(request, store.server(), script), request_(request)
{
    Keys keys(request.pool(), store.prefix());
    for (auto order : account_orders)
        key(keys.account(account_id, order));
    argument(keys.tokens(account_id)).argument(request.now());
    argument(query.order == api_token::Order::inserted_at ? "1" : "2");
    argument(query.descending ? "ZREVRANGE" : "ZRANGE");
    argument(query.offset).argument(query.offset + query.page_size - 1);
}

api_token::Result<Page, redis::Failure> List::await_resume() const
{
    auto reply = Eval::await_resume();
    if (!reply)
        return reply.error();
    if (reply->text() == "again")
        return Page{false, 0, {}};
    auto count = reply->size() / 2;
    auto* memory = ngx_palloc(request_.pool(), ngx_max(count, std::size_t(1)) * sizeof(api_token::Token));
    if (!memory)
        return redis::Failure::unavailable;
    auto* tokens = static_cast<api_token::Token*>(memory);
    for (std::size_t i = 0; i < count; i++) {
        auto token = read_record(request_.pool(), (*reply)[2 * i + 1].text(), (*reply)[2 * i + 2]);
        if (!token)
            return redis::Failure::rejected;
        new (&tokens[i]) api_token::Token(*token);
    }
    return Page{true, (*reply)[0].integer(), {tokens, count}};
}

} // namespace store
