#include "directives.hpp"

#include "api/jwks.hpp"
#include "api/metrics.hpp"
#include "api/router.hpp"
#include "metrics/metrics.hpp"

#include <string>

namespace conf {

namespace {

constexpr time_t default_ttl = 90 * 86400;
constexpr const char* ttl_too_long =
    "would make tokens that live longer than api_token_max_ttl: lower api_token_ttl";
constexpr time_t default_retention = 30 * 86400;
constexpr time_t default_last_used_interval = 60;

char* error()
{
    return static_cast<char*>(NGX_CONF_ERROR);
}

ngx_http_core_loc_conf_t& core_location(ngx_conf_t* cf)
{
    return *static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
}

using http::Served;

ngx_http_handler_pt handler_of(Served served)
{
    switch (served) {
    case Served::keys:
        return api::handle_jwks;
    case Served::metrics:
        return api::handle_metrics;
    default:
        return api::handle;
    }
}

/// To nginx, `if` and `limit_except` are locations of their own; the API is the same there as around them.
void merge_api(ngx_conf_t* cf, const http::Settings& outer, http::Settings& inner)
{
    auto& location = core_location(cf);
    bool serves_another = location.handler && location.handler != handler_of(outer.served);
    if (!location.noname || outer.served == Served::nothing || serves_another)
        return;
    inner.served = outer.served;
    inner.directive = outer.directive;
    inner.is_nameless = outer.is_nameless;
    inner.file = outer.file;
    inner.line = outer.line;
    inner.caller_account = outer.caller_account;
    inner.caller_admin_user = outer.caller_admin_user;
    if (location.lmt_excpt && !location.handler)
        location.handler = handler_of(outer.served);
}

bool starts_with(const ngx_str_t& text, std::string_view start)
{
    return ngx::view(text).starts_with(start);
}

/// What a location lacks; null where it lacks nothing.
const char* missing(const http::Settings& settings)
{
    bool serves_api = settings.served == Served::api;
    bool asks_redis = settings.is_checked == 1 || serves_api || settings.served == Served::introspection;
    if (asks_redis && !settings.store)
        return "needs a Redis: add api_token_redis";
    if (serves_api && !settings.keys)
        return "needs a key to sign with: add api_token_key";
    if (serves_api && !settings.signing_key().can_sign())
        return "needs a key to sign with: the first of api_token_key is a public one, put a private one "
               "first";
    if (!settings.keys && !settings.admin_keys && (asks_redis || settings.served == Served::keys))
        return "needs keys to verify with: add api_token_key";
    if (serves_api && settings.max_ttl && settings.ttl > settings.max_ttl)
        return ttl_too_long;
    for (const auto& admin : settings.admins())
        for (const auto* key : admin.keys)
            for (const auto* own : settings.verifying_keys())
                if (key->fingerprint() == own->fingerprint())
                    return "has an api_token_key that is an api_token_admin_key too: its tokens would be "
                           "admins'";
    return nullptr;
}

/// Each text with its length before it, so that no two lists of texts are the same bytes.
void append(std::string& bytes, std::string_view text)
{
    bytes.append(std::to_string(text.size())).append(":").append(text);
}

void append(std::string& bytes, std::span<const api_token::Key* const> keys)
{
    append(bytes, std::to_string(keys.size()));
    for (const auto* key : keys) {
        append(bytes, key->header());
        append(bytes, api_token::view(key->fingerprint()));
    }
}

std::optional<api_token::Sha256> policy_of(const http::Settings& settings)
{
    std::string bytes;
    append(bytes, settings.store->options().url);
    append(bytes, settings.store->prefix());
    append(bytes, ngx::view(settings.issuer));
    append(bytes, ngx::view(settings.audience));
    append(bytes, settings.verifying_keys());
    for (const auto& admin : settings.admins()) {
        append(bytes, admin.issuer);
        append(bytes, admin.audience);
        append(bytes, admin.keys);
    }
    return api_token::sha256(bytes);
}

/// auth_api_token is inherited whole.
void merge_check(const http::Settings& outer, http::Settings& inner)
{
    if (inner.is_checked == NGX_CONF_UNSET) {
        inner.is_checked = outer.is_checked == NGX_CONF_UNSET ? 0 : outer.is_checked;
        inner.realm = outer.realm;
        inner.token_source = outer.token_source;
        inner.is_token_sent = outer.is_token_sent;
        inner.required_scope = outer.required_scope;
        if (inner.served == Served::nothing) {
            inner.file = outer.file;
            inner.line = outer.line;
        }
    }
    if (!inner.admin_keys)
        inner.admin_keys = outer.admin_keys;
    ngx_conf_merge_sec_value(inner.last_used_interval, outer.last_used_interval, default_last_used_interval);
}

/// Makes it the location's content.
char* serve(ngx_conf_t* cf, void* conf, Served served)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    if (settings.served == served)
        return const_cast<char*>("is duplicate");
    auto* name = static_cast<ngx_str_t*>(cf->args->elts);
    if (settings.served != Served::nothing)
        return refuse(cf, ngx::view(settings.directive),
                      "stands in this location: give each a location of its own");
    settings.served = served;
    settings.directive = *name;
    settings.file = cf->conf_file->file.name;
    settings.line = cf->conf_file->line;
    auto& location = core_location(cf);
    location.handler = handler_of(served);
#if (NGX_PCRE)
    settings.is_nameless = location.regex != nullptr;
#endif
    settings.is_nameless |= location.named;
    return NGX_CONF_OK;
}

/// The public keys of the location as a JWK set, and its entity tag.
bool publish_keys(ngx_conf_t* cf, http::Settings& settings)
{
    std::string set;
    for (const auto* key : settings.verifying_keys())
        if (auto jwk = key->public_jwk(); !jwk.empty())
            set += (set.empty() ? "" : ",") + jwk;
    set = R"({"keys":[)" + set + "]}\n";
    auto digest = api_token::sha256(set);
    if (!digest)
        return false;
    auto tag = api_token::hex(*digest);
    settings.jwks = ngx::str(ngx::copy(cf->pool, set));
    settings.jwks_etag = ngx::str(ngx::concat(cf->pool, {"\"", {tag.data(), 32}, "\""}));
    return settings.jwks.data && settings.jwks_etag.data;
}

} // namespace

ngx_http_complex_value_t* compile(ngx_conf_t* cf, std::string_view text)
{
    auto value = ngx::str(text);
    auto* compiled =
        static_cast<ngx_http_complex_value_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t)));
    ngx_http_compile_complex_value_t request{};
    request.cf = cf;
    request.value = &value;
    request.complex_value = compiled;
    return compiled && ngx_http_compile_complex_value(&request) == NGX_OK ? compiled : nullptr;
}

Parameter split(const ngx_str_t& argument)
{
    auto text = ngx::view(argument);
    auto equals = text.find('=');
    return equals == text.npos ? Parameter{} : Parameter{text.substr(0, equals), text.substr(equals + 1)};
}

char* refuse(ngx_conf_t* cf, std::string_view argument, const char* sentence, ngx_err_t number)
{
    auto* name = static_cast<ngx_str_t*>(cf->args->elts);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, number, "%V: \"%*s\" %s", name, argument.size(), argument.data(),
                       sentence);
    return error();
}

char* set_api_token(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    return serve(cf, conf, Served::api);
}

char* set_jwks(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    return serve(cf, conf, Served::keys);
}

char* set_introspect(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    return serve(cf, conf, Served::introspection);
}

char* set_metrics(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& main = http::MainSettings::of(cf);
    if (!main.metrics)
        main.metrics = metrics::add_zone(cf);
    return main.metrics ? serve(cf, conf, Served::metrics) : error();
}

char* set_claim(ngx_conf_t* cf, ngx_command_t* command, void* conf)
{
    auto& text = static_cast<ngx_str_t*>(cf->args->elts)[1];
    if (text.len == 0)
        return refuse(cf, {}, "is empty: name the claim's value, or leave the directive out");
    if (!api_token::is_utf8(ngx::view(text)))
        return refuse(cf, ngx::view(text), "is not valid UTF-8");
    return ngx_conf_set_str_slot(cf, command, conf);
}

char* set_caller(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    if (settings.caller_account)
        return const_cast<char*>("is duplicate");
    auto* arguments = static_cast<ngx_str_t*>(cf->args->elts);
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        auto argument = ngx::view(arguments[i]);
        auto equals = argument.find('=');
        if (!starts_with(arguments[i], "account=") && !starts_with(arguments[i], "admin_user="))
            return refuse(cf, argument, "is no parameter: there are account= and admin_user=");
        auto& value =
            starts_with(arguments[i], "account=") ? settings.caller_account : settings.caller_admin_user;
        if (value)
            return refuse(cf, argument, "stands here twice");
        if (equals + 1 == argument.size())
            return refuse(cf, argument, "needs a value");
        value = compile(cf, argument.substr(equals + 1));
        if (!value)
            return error();
    }
    return settings.caller_account ? NGX_CONF_OK : refuse(cf, "account=", "is missing: it says who calls");
}

char* set_time(ngx_conf_t* cf, ngx_command_t* command, void* conf)
{
    auto& field = *reinterpret_cast<time_t*>(static_cast<char*>(conf) + command->offset);
    if (field != NGX_CONF_UNSET)
        return const_cast<char*>("is duplicate");
    auto& text = static_cast<ngx_str_t*>(cf->args->elts)[1];
    bool may_be_off = command->post != nullptr;
    if (may_be_off && ngx::view(text) == "off") {
        field = 0;
        return NGX_CONF_OK;
    }
    field = static_cast<time_t>(ngx_parse_time(&text, 1));
    if (field == static_cast<time_t>(NGX_ERROR) || field == 0)
        return refuse(cf, ngx::view(text),
                      may_be_off ? "needs a time above zero, such as 30d, or off"
                                 : "needs a time above zero, such as 30d");
    if (field > api_token::last_second)
        return refuse(cf, ngx::view(text), "is a time beyond the year 9999");
    const auto& settings = *static_cast<const http::Settings*>(conf);
    if (settings.max_ttl > 0 && settings.ttl > settings.max_ttl)
        return refuse(cf, ngx::view(text), ttl_too_long);
    return NGX_CONF_OK;
}

void* create_location(ngx_conf_t* cf)
{
    auto* settings = static_cast<http::Settings*>(ngx_pcalloc(cf->pool, sizeof(http::Settings)));
    if (!settings)
        return nullptr;
    settings->ttl = settings->max_ttl = settings->retention = NGX_CONF_UNSET;
    settings->environment_check = settings->is_checked = settings->required_scope = NGX_CONF_UNSET;
    settings->last_used_interval = NGX_CONF_UNSET;
    return settings;
}

char* merge_location(ngx_conf_t* cf, void* parent, void* child)
{
    const auto& outer = *static_cast<http::Settings*>(parent);
    auto& inner = *static_cast<http::Settings*>(child);
    merge_api(cf, outer, inner);
    if (!inner.store)
        inner.store = outer.store;
    auto& location = core_location(cf);
    if (inner.store && location.resolver && location.resolver->connections.nelts > 0)
        inner.store->set_resolver({location.resolver, location.resolver_timeout});
    if (!inner.keys)
        inner.keys = outer.keys;
    ngx_conf_merge_str_value(inner.issuer, outer.issuer, "");
    ngx_conf_merge_str_value(inner.audience, outer.audience, "");
    ngx_conf_merge_sec_value(inner.ttl, outer.ttl, default_ttl);
    ngx_conf_merge_sec_value(inner.max_ttl, outer.max_ttl, 0);
    ngx_conf_merge_sec_value(inner.retention, outer.retention, default_retention);
    ngx_conf_merge_value(inner.environment_check, outer.environment_check, 1);

    merge_check(outer, inner);

    bool is_used = inner.served != Served::nothing || inner.is_checked == 1;
    if (const char* sentence = is_used ? missing(inner) : nullptr) {
        std::string_view name =
            inner.served != Served::nothing ? ngx::view(inner.directive) : "auth_api_token";
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%*s\" %s in %V:%ui", name.size(), name.data(), sentence,
                      &inner.file, inner.line);
        return error();
    }
    if (inner.served == Served::keys && !publish_keys(cf, inner))
        return error();
    auto policy = is_used && inner.store ? policy_of(inner) : api_token::Sha256{};
    if (!policy)
        return error();
    inner.policy = *policy;
    return NGX_CONF_OK;
}

} // namespace conf
