#include "routes.hpp"

#include "http/context.hpp"
#include "http/errors.hpp"
#include "redis/replication.hpp"
#include "store/create.hpp"
#include "token/create_request.hpp"
#include "token/digest.hpp"
#include "token/jwt.hpp"
#include "token/pfid.hpp"

namespace api {

namespace {

using namespace api_token;

std::optional<std::string_view> idempotency_header(const ngx_http_request_t* r)
{
    auto* header = ngx::find_header(r, "Idempotency-Key");
    return header ? std::optional(ngx::view(header->value)) : std::nullopt;
}

std::optional<Pfid> make_id(const ngx::Request& request, std::string_view account_id)
{
    auto randomness = draw_randomness();
    if (!randomness)
        return std::nullopt;
    return make_pfid(request.now_ms(), partition_of(account_id), *randomness);
}

/// The JWT of a token; empty when there is no memory or OpenSSL fails.
std::string_view sign(ngx::Request& request, const http::Settings& settings, const Token& token)
{
    auto issuer = ngx::view(settings.issuer);
    auto audience = ngx::view(settings.audience);
    const auto& key = settings.signing_key();
    Writer claims(ngx::allocate(request.pool(), claims_capacity(issuer, audience)));
    write_claims(claims, token, issuer, audience);
    auto memory = ngx::allocate(request.pool(), jwt_capacity(key, claims.view().size()));
    if (claims.overflowed() || memory.empty())
        return {};
    return sign_jwt(key, claims.view(), memory);
}

ngx::Answer answer(ngx::Request& request, const http::Settings& settings, const Token& token)
{
    auto jwt = sign(request, settings, token);
    if (jwt.empty())
        return http::errors::unexpected();
    Writer body(ngx::allocate(request.pool(), details_capacity + jwt.size() + 64));
    body.raw(R"({"details":)");
    write_details(body, token, request.now());
    body.raw(R"(,"status":"success","token":")").raw(jwt).raw("\"}\n");
    return body.overflowed() ? http::errors::unexpected() : http::json_answer(NGX_HTTP_OK, body.view());
}

Token new_token(const CreateRequest& wanted, std::string_view id, std::string_view admin_user_id, Seconds now)
{
    return {
        .id = id,
        .account_id = wanted.account_id,
        .environment_id = wanted.environment_id,
        .created_by_admin_user_id = admin_user_id,
        .scope = wanted.scope,
        .stored_status = StoredStatus::active,
        .inserted_at = now,
        .updated_at = now,
        .expires_at = wanted.expires_at,
    };
}

} // namespace

ngx::Content create(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    auto& context = *http::Context::find(request.r());
    if (!ngx::has_media_type(request.r(), "application/json"))
        co_return http::errors::unsupported_media_type();

    auto body = co_await request.body();
    if (body.status != NGX_OK)
        co_return ngx::Answer::of_nginx(body.status);
    auto wanted = parse_create(body.text, context.caller.account_id, idempotency_header(request.r()),
                               settings.create_rules(), request.now());
    if (!wanted)
        co_return wanted.error().errors ? http::errors::validation(request, wanted.error().errors.get())
                                        : http::errors::bad_json();
    bool may_act = context.caller.may_act_for(wanted->account_id);
    if (!may_act && wanted->expiry_problem)
        co_return http::errors::validation(request, expiry_error(*wanted).errors.get());
    if (!may_act)
        co_return http::errors::not_permitted(request);

    auto id = make_id(request, wanted->account_id);
    if (!id)
        co_return http::errors::unexpected();
    auto token = new_token(*wanted, id->view(), context.caller.admin_user_id, request.now());
    store::Create script(request, *settings.store, token, *wanted, settings.retention);
    auto created = co_await script;
    if (!created)
        co_return http::errors::of(created.error());
    if (created->outcome == store::Created::Outcome::key_used_for_other_details)
        co_return http::errors::idempotency_key_used();
    if (created->outcome == store::Created::Outcome::deleted)
        co_return http::errors::idempotency_key_deleted();
    if (created->outcome == store::Created::Outcome::unknown)
        co_return http::errors::validation(request, expiry_error(*wanted).errors.get());
    if (!co_await redis::Replicated(request, script))
        co_return http::errors::not_replicated();

    context.created_id = ngx::copy(request.pool(), created->token.id);
    co_return answer(request, settings, created->token);
}

} // namespace api
