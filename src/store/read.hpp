#pragma once

#include "redis/script.hpp"
#include "store.hpp"
#include "token/token.hpp"

#include <optional>

namespace store {

/// Reads a token by its id, a PFID; co_await answers Result<optional<Token>, redis::Failure>, nothing where
/// there is no such token.
class Read : public redis::Eval {
public:
    Read(ngx::Request& request, Store& store, std::string_view id);

    api_token::Result<std::optional<api_token::Token>, redis::Failure> await_resume() const;

private:
    ngx::Request& request_;
    std::string_view id_;
};

} // namespace store
