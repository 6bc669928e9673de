#include "details.hpp"
#include "routes.hpp"

#include "http/context.hpp"
#include "http/errors.hpp"
#include "redis/replication.hpp"
#include "store/transition.hpp"

namespace api {

ngx::Content transition(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    const auto& context = *http::Context::find(request.r());

    bool is_removal = context.route.operation == api_token::Operation::remove;
    if (!is_removal) {
        auto body = co_await request.body();
        if (body.status != NGX_OK)
            co_return ngx::Answer::of_nginx(body.status);
        if (!body.text.empty() && !api_token::is_empty_object(body.text))
            co_return http::errors::body_not_wanted();
    }

    store::Apply script(request, *settings.store, context.route.operation, context.route.token_id,
                        context.caller.account_id, settings.retention);
    auto applied = co_await script;
    if (!applied)
        co_return http::errors::of(applied.error());
    if (applied->outcome == store::Transition::Outcome::missing)
        co_return http::errors::not_found();
    if (applied->outcome == store::Transition::Outcome::not_allowed)
        co_return http::errors::invalid_action();
    settings.store->changed(context.route.token_id);
    if (!co_await redis::Replicated(request, script))
        co_return http::errors::not_replicated();
    co_return is_removal ? http::json_answer(NGX_HTTP_OK, "{\"status\":\"success\"}\n")
                         : details_answer(request, applied->token);
}

} // namespace api
