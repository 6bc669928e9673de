#pragma once

#include "redis/script.hpp"
#include "store.hpp"
#include "token/list_query.hpp"
#include "token/token.hpp"

namespace store {

struct Page {
    /// Otherwise there is no page yet: the account's dropped records were too many for one step, and the next
    /// one goes on.
    bool is_complete = true;
    std::int64_t item_count = 0;
    std::span<const api_token::Token> tokens;
};

/// Reads a page of an account's tokens in one step, or a part of it; co_await answers Result<Page,
/// redis::Failure>.
class List : public redis::Eval {
public:
    List(ngx::Request& request, Store& store, std::string_view account_id, const api_token::ListQuery& query);

    api_token::Result<Page, redis::Failure> await_resume() const;

private:
    ngx::Request& request_;
};

} // namespace store
