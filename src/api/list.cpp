#include "routes.hpp"

#include "http/context.hpp"
#include "http/errors.hpp"
#include "store/list.hpp"
#include "token/pagination.hpp"

namespace api {

namespace {

ngx::Answer answer(ngx::Request& request, const store::Page& page, const api_token::ListQuery& query)
{
    constexpr std::size_t frame = 128 + api_token::pagination_capacity;
    auto capacity = frame + page.tokens.size() * (api_token::details_capacity + 1);
    api_token::Writer body(ngx::allocate(request.pool(), capacity));
    body.raw(R"({"pagination":)");
    write_pagination(body, api_token::paginate(page.item_count, query.offset, query.page_size));
    body.raw(R"(,"sorting":)").string(api_token::sorting(query)).raw(R"(,"status":"success","summaries":[)");
    std::string_view separator;
    for (const auto& token : page.tokens) {
        body.raw(std::exchange(separator, ","));
        write_summary(body, token, request.now());
    }
    body.raw("]}\n");
    return body.overflowed() ? http::errors::unexpected() : http::json_answer(NGX_HTTP_OK, body.view());
}

} // namespace

ngx::Content list(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    const auto& context = *http::Context::find(request.r());

    auto query = api_token::parse_list_query(ngx::view(request.r()->args));
    if (!query)
        co_return http::errors::bad_query(request, query.error().sentence);
    auto account_id = query->account_id().empty() ? context.caller.account_id : query->account_id();
    if (account_id.empty())
        co_return http::errors::bad_query(request,
                                          "account_id is required, since the caller has no account.");
    if (!context.caller.may_act_for(account_id))
        co_return http::errors::not_permitted(request);

    for (;;) {
        auto page = co_await store::List(request, *settings.store, account_id, *query);
        if (!page)
            co_return http::errors::of(page.error());
        if (page->is_complete)
            co_return answer(request, *page, *query);
    }
}

} // namespace api
