#include "directives.hpp"

#include "http/settings.hpp"

namespace conf {

namespace {

char* error()
{
    return static_cast<char*>(NGX_CONF_ERROR);
}

/// Whether it is one cookie, header or argument.
bool is_sent(std::string_view value)
{
    bool is_one = value.find_first_of("${", 1) == value.npos;
    return is_one &&
           (value.starts_with("$cookie_") || value.starts_with("$http_") || value.starts_with("$arg_"));
}

const char* read_scope(std::string_view value, http::Settings& settings)
{
    auto scope = api_token::parse_scope(value);
    if (!scope)
        return "is no scope: there are scope=account and scope=environment";
    settings.required_scope = static_cast<ngx_int_t>(*scope);
    return nullptr;
}

const char* read_parameter(ngx_conf_t* cf, const ngx_str_t& argument, http::Settings& settings)
{
    auto [name, value] = split(argument);
    if (name == "scope")
        return settings.required_scope == NGX_CONF_UNSET ? read_scope(value, settings) : "stands here twice";
    if (name != "token")
        return "is no parameter: there are token= and scope=";
    if (settings.token_source)
        return "stands here twice";
    if (value.find('$') == value.npos)
        return "needs a variable, such as token=$cookie_token";
    settings.token_source = compile(cf, value);
    settings.is_token_sent = is_sent(value);
    return settings.token_source ? nullptr : "cannot be compiled";
}

ngx_int_t attach_zone(ngx_shm_zone_t* zone, void* previous)
{
    return static_cast<store::Cache*>(zone->data)->attach(previous);
}

struct CacheParameters {
    ngx_str_t name{};
    ssize_t size = 0;
    time_t valid = 60;
    time_t stale = 0;
};

const char* read_zone(std::string_view value, CacheParameters& parameters)
{
    auto colon = value.find(':');
    if (colon == 0 || colon == value.npos)
        return "needs a name and a size, such as zone=tokens:10m";
    auto size = ngx::str(value.substr(colon + 1));
    parameters.name = ngx::str(value.substr(0, colon));
    parameters.size = ngx_parse_size(&size);
    if (parameters.size == NGX_ERROR)
        return "has no size, such as 10m, behind the colon";
    return parameters.size < static_cast<ssize_t>(8 * ngx_pagesize) ? "is too small: give it 32k or more"
                                                                    : nullptr;
}

const char* read_cache_parameter(const ngx_str_t& argument, CacheParameters& parameters)
{
    auto [name, value] = split(argument);
    if (name == "zone")
        return read_zone(value, parameters);
    if (name != "valid" && name != "stale")
        return "is no parameter: there are zone=, valid= and stale=";
    auto text = ngx::str(value);
    auto seconds = static_cast<time_t>(ngx_parse_time(&text, 1));
    if (seconds == static_cast<time_t>(NGX_ERROR))
        return "needs a time, such as 60s";
    if (name == "valid" && seconds == 0)
        return "would remember nothing: leave api_token_cache out instead";
    (name == "valid" ? parameters.valid : parameters.stale) = seconds;
    return nullptr;
}

} // namespace

char* set_auth(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    if (settings.is_checked != NGX_CONF_UNSET)
        return const_cast<char*>("is duplicate");
    auto* arguments = static_cast<ngx_str_t*>(cf->args->elts);
    settings.is_checked = ngx::view(arguments[1]) != "off";
    if (!settings.is_checked)
        return cf->args->nelts == 2 ? NGX_CONF_OK : refuse(cf, "off", "takes nothing behind it");
    settings.realm = compile(cf, ngx::view(arguments[1]));
    if (!settings.realm)
        return error();
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++)
        if (const auto* sentence = read_parameter(cf, arguments[i], settings))
            return refuse(cf, ngx::view(arguments[i]), sentence);
    settings.file = cf->conf_file->file.name;
    settings.line = cf->conf_file->line;
    return NGX_CONF_OK;
}

char* set_cache(ngx_conf_t* cf, ngx_command_t*, void*)
{
    auto& settings = http::MainSettings::of(cf);
    if (settings.cache)
        return const_cast<char*>("is duplicate");
    auto* arguments = static_cast<ngx_str_t*>(cf->args->elts);
    CacheParameters parameters;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++)
        if (const auto* sentence = read_cache_parameter(arguments[i], parameters))
            return refuse(cf, ngx::view(arguments[i]), sentence);
    if (!parameters.name.len)
        return refuse(cf, "zone=", "is missing: name the shared memory, such as zone=tokens:10m");
    auto* zone = ngx_shared_memory_add(cf, &parameters.name, static_cast<std::size_t>(parameters.size),
                                       &ngx_http_api_token_module);
    if (!zone)
        return error();
    settings.cache = ngx::make<store::Cache>(cf->pool, zone, parameters.valid, parameters.stale);
    if (!settings.cache)
        return error();
    zone->init = attach_zone;
    zone->data = settings.cache;
    return NGX_CONF_OK;
}

} // namespace conf
