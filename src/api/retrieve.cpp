#include "details.hpp"
#include "routes.hpp"

#include "http/context.hpp"
#include "http/errors.hpp"
#include "store/read.hpp"

namespace api {

ngx::Content retrieve(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    const auto& context = *http::Context::find(request.r());

    auto read = co_await store::Read(request, *settings.store, context.route.token_id);
    if (!read)
        co_return http::errors::of(read.error());
    const auto& token = *read;
    if (!token || !context.caller.may_act_for(token->account_id))
        co_return http::errors::not_found();
    co_return details_answer(request, *token);
}

} // namespace api
