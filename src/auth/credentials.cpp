#include "credentials.hpp"

#include "metrics/metrics.hpp"

namespace auth {

namespace {

using api_token::Refusal;

/// The token; empty where there is none.
std::string_view find_token(ngx_http_request_t* r, const http::Settings& settings)
{
    if (settings.token_source) {
        ngx_str_t text;
        return ngx_http_complex_value(r, settings.token_source, &text) == NGX_OK ? ngx::view(text)
                                                                                 : std::string_view();
    }
    constexpr std::string_view scheme = "Bearer ";
    if (!r->headers_in.authorization)
        return {};
    auto text = ngx::view(r->headers_in.authorization->value);
    if (text.size() < scheme.size() ||
        ngx_strncasecmp(ngx::str(text).data, ngx::str(scheme).data, scheme.size()) != 0)
        return {};
    text.remove_prefix(scheme.size());
    text.remove_prefix(ngx_min(text.find_first_not_of(' '), text.size()));
    return text;
}

using Verified = api_token::Result<api_token::Identity, Refusal>;

/// An API token's keys are tried first. What they do not know may be an admin's.
Verified verify(std::string_view token, const http::Settings& settings)
{
    auto now = ngx_time();
    auto claims = api_token::verify_token(token, settings.verifying_keys(),
                                          {ngx::view(settings.issuer), ngx::view(settings.audience), now});
    if (claims)
        return identity_of_token(*claims);
    auto refusal = claims.error();
    for (const auto& admin : settings.admins()) {
        auto admins_claims = api_token::verify_admin(token, admin.keys, {admin.issuer, admin.audience, now});
        if (admins_claims)
            return identity_of_admin(*admins_claims);
        if (refusal == Refusal::key || refusal == Refusal::signature)
            refusal = admins_claims.error() == Refusal::key ? refusal : admins_claims.error();
    }
    return refusal;
}

/// Takes what the cache knows of it; false where that is nothing.
bool recall(http::Presented& presented, const http::Settings& settings, time_t use_interval)
{
    if (auto* cache = settings.store->cache())
        presented.known =
            cache->find(presented.digest, settings.store->channel(), use_interval, presented.identity);
    bool is_hit = presented.known && presented.known->is_current;
    metrics::count(is_hit ? metrics::worker().cache_hits : metrics::worker().cache_misses);
    if (!presented.known)
        return false;
    if (presented.identity.expires_at <= ngx_time())
        presented.refusal = Refusal::expired;
    return true;
}

} // namespace

void examine(std::string_view token, const http::Settings& settings, time_t use_interval,
             http::Presented& presented)
{
    presented.refusal = token.empty() ? Refusal::missing : Refusal::malformed;
    if (token.empty() || token.size() > api_token::jwt_max_length)
        return;
    auto digest = api_token::sha256({token, api_token::view(settings.policy)});
    if (!digest)
        return;
    presented.digest = *digest;
    presented.refusal.reset();
    if (recall(presented, settings, use_interval))
        return;
    auto verified = verify(token, settings);
    if (verified)
        presented.identity = *verified;
    else
        presented.refusal = verified.error();
}

http::Presented& look(ngx_http_request_t* r, http::Context& context)
{
    const auto& settings = http::Settings::of(r);
    auto token = find_token(r, settings);
    auto& presented = context.presented;
    if (presented.settings != &settings || presented.token != token) {
        presented = {};
        presented.settings = &settings;
        presented.token = token;
        examine(token, settings, settings.last_used_interval, presented);
    }
    return presented;
}

bool is_checked(ngx_http_request_t* r)
{
    const auto& settings = http::Settings::of(r);
    if (settings.is_checked != 1)
        return false;
    if (!settings.realm->lengths)
        return true;
    ngx_str_t realm;
    return ngx_http_complex_value(r, settings.realm, &realm) != NGX_OK || ngx::view(realm) != "off";
}

} // namespace auth
