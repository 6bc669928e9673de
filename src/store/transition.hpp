#pragma once

#include "redis/script.hpp"
#include "store.hpp"
#include "token/token.hpp"

namespace store {

struct Transition {
    enum class Outcome {
        /// It is done, and `token` is what came of it; nothing of it where it was removed.
        done,
        /// There is no such token, or it is another account's.
        missing,
        /// The token's status does not allow it.
        not_allowed
    };

    Outcome outcome = Outcome::missing;
    api_token::Token token;
};

/// Suspends, activates, revokes or removes a token in one step: what allows() says of its status decides, and
/// everybody who listens is told. co_await answers Result<Transition, redis::Failure>.
class Apply : public redis::Eval {
public:
    /// `account_id` is the account that must have the token, empty for any.
    Apply(ngx::Request& request, Store& store, api_token::Operation action, std::string_view id,
          std::string_view account_id, api_token::Seconds retention);

    api_token::Result<Transition, redis::Failure> await_resume() const;

private:
    ngx::Request& request_;
    std::string_view id_;
};

} // namespace store
