#include "auth/credentials.hpp"
#include "http/context.hpp"
#include "http/errors.hpp"
#include "routes.hpp"
#include "store/inquiry.hpp"
#include "token/form.hpp"

namespace api {

namespace {

using api_token::Identity;

/// The parameter `token`, decoded; nothing where it is missing, empty, twice there or not decodable.
std::optional<std::string_view> find_token(ngx_pool_t* pool, std::string_view form)
{
    std::optional<std::string_view> token;
    while (auto pair = api_token::next_pair(form)) {
        std::array<char, 8> name_memory;
        auto name = api_token::form_decode(pair->name, name_memory);
        if (!name || *name != "token")
            continue;
        auto text = token ? std::nullopt
                          : api_token::form_decode(pair->value, ngx::allocate(pool, pair->value.size()));
        if (!text || text->empty())
            return std::nullopt;
        token = text;
    }
    return token;
}

/// RFC 7662 §2.2.
ngx::Answer active(ngx::Request& request, const http::Settings& settings, const Identity& identity)
{
    auto issuer = ngx::view(settings.issuer);
    auto audience = ngx::view(settings.audience);
    constexpr std::size_t frame = 512;
    constexpr std::size_t longest_escape = 6;
    api_token::Writer body(
        ngx::allocate(request.pool(), frame + longest_escape * (issuer.size() + audience.size())));
    body.raw(R"({"active":true,"scope":)").string(name(identity.scope));
    body.raw(R"(,"sub":)")
        .string(identity.account_id.view())
        .raw(R"(,"jti":)")
        .string(identity.token_id.view());
    if (!issuer.empty())
        body.raw(R"(,"iss":)").string(issuer);
    if (!audience.empty())
        body.raw(R"(,"aud":)").string(audience);
    body.raw(R"(,"iat":)").number(identity.issued_at).raw(R"(,"exp":)").number(identity.expires_at);
    body.raw(R"(,"token_type":"Bearer"})").raw("\n");
    return body.overflowed() ? http::errors::unexpected() : http::json_answer(NGX_HTTP_OK, body.view());
}

ngx::Answer inactive()
{
    return http::json_answer(NGX_HTTP_OK, "{\"active\":false}\n");
}

/// A token of somebody else, and one that is no API token, are told nothing of.
bool may_be_told(const http::Context& context, const http::Presented& presented)
{
    return !presented.refusal && !presented.identity.is_admin() &&
           context.caller.may_act_for(presented.identity.account_id.view());
}

} // namespace

ngx::Content introspect(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    const auto& context = *http::Context::find(request.r());
    bool is_other_type = request.r()->headers_in.content_type &&
                         !ngx::has_media_type(request.r(), "application/x-www-form-urlencoded");
    if (is_other_type)
        co_return http::errors::form_wanted();

    auto body = co_await request.body();
    if (body.status != NGX_OK)
        co_return ngx::Answer::of_nginx(body.status);
    auto token = find_token(request.pool(), body.text);
    if (!token)
        co_return http::errors::bad_query(request, "The form must hold one token.");

    http::Presented presented;
    auth::examine(*token, settings, 0, presented);
    if (!may_be_told(context, presented))
        co_return inactive();
    auto standing = presented.known ? presented.known->standing : store::Standing::unknown;
    if (!presented.known || !presented.known->is_current) {
        auto answer = co_await store::Ask(request, *settings.store, presented.identity);
        if (!answer)
            co_return http::errors::of(answer.error());
        standing = answer->standing;
        if (auto* cache = settings.store->cache())
            cache->remember(presented.digest, settings.store->channel(), presented.identity, standing,
                            answer->asked);
    }
    co_return standing == store::Standing::active ? active(request, settings, presented.identity)
                                                  : inactive();
}

} // namespace api
