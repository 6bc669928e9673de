#pragma once

#include "ngx/nginx.hpp"
#include "store/store.hpp"
#include "token/create_request.hpp"
#include "token/key.hpp"

extern "C" {
extern ngx_module_t ngx_http_api_token_module;
}

namespace http {

/// What one nginx.conf holds of us beside its locations.
struct MainSettings {
    /// Of `store::Store*`, each of which a worker connects.
    ngx_array_t store_list;
    /// Null where there is none.
    store::Cache* cache;
    /// Of metrics; null where there is none.
    ngx_shm_zone_t* metrics;

    static MainSettings& of(ngx_conf_t* cf);
    static const MainSettings& of(const ngx_http_request_t* r)
    {
        return *static_cast<const MainSettings*>(ngx_http_get_module_main_conf(r, ngx_http_api_token_module));
    }

    std::span<store::Store* const> stores() const
    {
        return {static_cast<store::Store* const*>(store_list.elts), store_list.nelts};
    }
};

/// What this module serves in a location.
enum class Served : std::uint8_t { nothing, api, introspection, keys, metrics };

/// The keys of one api_token_admin_key, and what their JWTs must say. Empty texts are not asked for.
struct AdminKeys {
    std::span<const api_token::Key* const> keys;
    std::string_view issuer;
    std::string_view audience;
};

/// What a location is configured with. nginx's configuration fills it in; for requests it is constant.
struct Settings {
    store::Store* store;
    /// Of `const api_token::Key*`: the first signs, all verify. Null where the location has none.
    ngx_array_t* keys;
    /// Empty where there is none.
    ngx_str_t issuer;
    ngx_str_t audience;
    time_t ttl;
    /// 0: off.
    time_t max_ttl;
    time_t retention;
    ngx_flag_t environment_check;
    /// Where it is not nothing, errors of nginx's own are told in JSON, too.
    Served served;
    /// The name of its directive.
    ngx_str_t directive;
    /// Whether a path does not begin with that location's name: a regular expression, or `@name`.
    bool is_nameless;
    /// Where its directive is, or auth_api_token.
    ngx_str_t file;
    ngx_uint_t line;
    /// api_token_caller; null where it does not stand in the location.
    ngx_http_complex_value_t* caller_account;
    ngx_http_complex_value_t* caller_admin_user;
    /// auth_api_token: whether it is on, its realm, where else than in the header Authorization the token is
    /// (or null), whether the client sends it there, so that no `set` fills it, and the scope that it must
    /// have (or NGX_CONF_UNSET).
    ngx_flag_t is_checked;
    ngx_http_complex_value_t* realm;
    ngx_http_complex_value_t* token_source;
    bool is_token_sent;
    ngx_int_t required_scope;
    /// Of `AdminKeys`, or null.
    ngx_array_t* admin_keys;
    /// 0: off.
    time_t last_used_interval;
    /// Of api_token_jwks: the JWK set, and its entity tag.
    ngx_str_t jwks;
    ngx_str_t jwks_etag;
    /// All that a token is verified by: an entry of the cache counts for no other.
    api_token::Sha256 policy;

    static const Settings& of(const ngx_http_request_t* r)
    {
        return *static_cast<const Settings*>(ngx_http_get_module_loc_conf(r, ngx_http_api_token_module));
    }

    api_token::CreateRules create_rules() const
    {
        return {ttl, max_ttl ? std::optional<api_token::Seconds>(max_ttl) : std::nullopt,
                environment_check == 1};
    }

    std::span<const api_token::Key* const> verifying_keys() const
    {
        return keys ? std::span(static_cast<const api_token::Key* const*>(keys->elts), keys->nelts)
                    : std::span<const api_token::Key* const>();
    }

    std::span<const AdminKeys> admins() const
    {
        return admin_keys ? std::span(static_cast<const AdminKeys*>(admin_keys->elts), admin_keys->nelts)
                          : std::span<const AdminKeys>();
    }

    /// Whether api_token_caller tells who calls.
    bool takes_callers() const
    {
        return caller_account && (served == Served::api || served == Served::introspection);
    }

    const api_token::Key& signing_key() const { return *verifying_keys().front(); }
};

} // namespace http
