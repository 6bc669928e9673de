#pragma once

#include "redis/script.hpp"
#include "store.hpp"
#include "token/create_request.hpp"

namespace store {

struct Created {
    enum class Outcome {
        /// The token is stored, or an earlier one of the same idempotency key is there: `token` is that one.
        stored,
        /// The idempotency key was used with other details.
        key_used_for_other_details,
        /// The idempotency key's token was deleted.
        deleted,
        /// There is none of that idempotency key, and no new one is made of what was asked.
        unknown
    };

    Outcome outcome = Outcome::stored;
    api_token::Token token;
};

/// Stores a new token, in one step; co_await answers Result<Created, redis::Failure>.
class Create : public redis::Eval {
public:
    Create(ngx::Request& request, Store& store, const api_token::Token& token,
           const api_token::CreateRequest& wanted, api_token::Seconds retention);

    api_token::Result<Created, redis::Failure> await_resume() const;

private:
    ngx::Request& request_;
    const api_token::Token& token_;
};

} // namespace store
