#include "api/metrics.hpp"
#include "auth/check.hpp"
#include "auth/variables.hpp"
#include "conf/directives.hpp"
#include "http/context.hpp"
#include "http/error_filter.hpp"
#include "http/settings.hpp"
#include "metrics/metrics.hpp"

namespace {

using http::MainSettings;
using http::Settings;

constexpr ngx_uint_t anywhere = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;
char off_is_a_time;

ngx_command_t commands[] = {
    {ngx_string("api_token"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, conf::set_api_token,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_jwks"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, conf::set_jwks,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_introspect"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, conf::set_introspect,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, conf::set_metrics,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_redis"), anywhere | NGX_CONF_1MORE, conf::set_redis, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("api_token_key"), anywhere | NGX_CONF_TAKE1, conf::set_key, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("api_token_issuer"), anywhere | NGX_CONF_TAKE1, conf::set_claim, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, issuer), nullptr},
    {ngx_string("api_token_audience"), anywhere | NGX_CONF_TAKE1, conf::set_claim, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, audience), nullptr},
    {ngx_string("api_token_ttl"), anywhere | NGX_CONF_TAKE1, conf::set_time, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, ttl), nullptr},
    {ngx_string("api_token_max_ttl"), anywhere | NGX_CONF_TAKE1, conf::set_time, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, max_ttl), &off_is_a_time},
    {ngx_string("api_token_retention"), anywhere | NGX_CONF_TAKE1, conf::set_time, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, retention), nullptr},
    {ngx_string("api_token_environment_check"), anywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(Settings, environment_check), nullptr},
    {ngx_string("api_token_caller"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE12, conf::set_caller,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_admin_key"), anywhere | NGX_CONF_TAKE123, conf::set_admin_key,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("auth_api_token"), anywhere | NGX_CONF_TAKE123, conf::set_auth, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("api_token_cache"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE123, conf::set_cache,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("api_token_last_used"), anywhere | NGX_CONF_TAKE1, conf::set_time, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(Settings, last_used_interval), &off_is_a_time},
    ngx_null_command};

// ---- variables

struct Variable {
    std::string_view name;
    auth::Text (*read)(ngx_http_request_t* r);
};

constexpr Variable variables[] = {
    {"api_token_id", auth::token_id},
    {"api_token_account_id", auth::account_id},
    {"api_token_environment_id", auth::environment_id},
    {"api_token_scope", auth::scope},
    {"api_token_expires_at", auth::expires_at},
    {"api_token_admin_user_id", auth::admin_user_id},
    {"api_token_error", auth::error},
    {"api_token_created_id", auth::created_id},
    {"api_token_action", auth::action},
    {"api_token_target_id", auth::target_id},
    {"api_token_actor_id", auth::actor_id},
};

ngx_int_t get_variable(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data)
{
    auto text = reinterpret_cast<const Variable*>(data)->read(r);
    value->data = ngx::str(text).data;
    value->len = static_cast<unsigned>(text.size());
    value->valid = 1;
    return NGX_OK;
}

ngx_int_t add_variables(ngx_conf_t* cf)
{
    for (const auto& described : variables) {
        auto name = ngx::str(described.name);
        auto* variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (!variable)
            return NGX_ERROR;
        variable->get_handler = get_variable;
        variable->data = reinterpret_cast<uintptr_t>(&described);
    }
    return NGX_OK;
}

// ---- the life of the module

void* create_main(ngx_conf_t* cf)
{
    auto* settings = static_cast<MainSettings*>(ngx_pcalloc(cf->pool, sizeof(MainSettings)));
    bool done =
        settings && ngx_array_init(&settings->store_list, cf->pool, 2, sizeof(store::Store*)) == NGX_OK;
    return done ? settings : nullptr;
}

bool add_handler(ngx_conf_t* cf, ngx_http_phases phase, ngx_http_handler_pt handler)
{
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* place = static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[phase].handlers));
    if (place)
        *place = handler;
    return place;
}

ngx_int_t install(ngx_conf_t* cf)
{
    http::install_error_filter();
    auth::install_subrequest_filter();
    api::count_answers();
    bool done = add_handler(cf, NGX_HTTP_REWRITE_PHASE, auth::check_subrequest_early) &&
                add_handler(cf, NGX_HTTP_PREACCESS_PHASE, auth::check_subrequest) &&
                add_handler(cf, NGX_HTTP_ACCESS_PHASE, auth::check_main);
    return done ? NGX_OK : NGX_ERROR;
}

/// Null in a cycle without `http`.
MainSettings* settings_of(ngx_cycle_t* cycle)
{
    return static_cast<MainSettings*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_api_token_module));
}

ngx_int_t start_worker(ngx_cycle_t* cycle)
{
    auto* settings = settings_of(cycle);
    if (!settings || (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE))
        return NGX_OK;
    // nginx's clock stands since before the configuration was read, and timers are set by it
    ngx_time_update();
    metrics::start(settings->metrics);
    for (auto* store : settings->stores())
        store->start(cycle->log, settings->cache);
    return NGX_OK;
}

void stop_worker(ngx_cycle_t* cycle)
{
    auto* settings = settings_of(cycle);
    if (!settings)
        return;
    metrics::stop();
    for (auto* store : settings->stores())
        store->stop();
}

ngx_http_module_t context = {add_variables, install, create_main,           nullptr,
                             nullptr,       nullptr, conf::create_location, conf::merge_location};

} // namespace

http::MainSettings& http::MainSettings::of(ngx_conf_t* cf)
{
    return *static_cast<MainSettings*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_api_token_module));
}

extern "C" {
__attribute__((visibility("default"))) ngx_module_t ngx_http_api_token_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, nullptr, nullptr,
    start_worker,  nullptr,  nullptr,  stop_worker,     nullptr, NGX_MODULE_V1_PADDING};
}
