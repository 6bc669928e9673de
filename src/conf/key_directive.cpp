#include "directives.hpp"

#include "http/settings.hpp"
#include "ngx/file.hpp"

#include <string>

namespace conf {

namespace {

using Keys = std::vector<api_token::Key>;
using Loaded = api_token::Result<Keys, std::string>;

/// The bytes of the file are wiped before this returns.
Loaded load(ngx_conf_t* cf, ngx_str_t& path, ngx_err_t& number)
{
    auto* pool = ngx_create_pool(1024, cf->log);
    if (!pool)
        return std::string("finds no memory");
    auto file = ngx::read_secret_file(cf, pool, path);
    number = file.number;
    auto loaded = file.error ? Loaded(std::string(file.error)) : api_token::load_keys(ngx::view(file.bytes));
    ngx_destroy_pool(pool);
    return loaded;
}

bool has_kid(const http::Settings& settings, std::string_view kid)
{
    for (const auto* key : settings.verifying_keys())
        if (!kid.empty() && key->kid() == kid)
            return true;
    return false;
}

} // namespace

char* set_key(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    auto& path = static_cast<ngx_str_t*>(cf->args->elts)[1];
    ngx_err_t number = 0;
    auto loaded = load(cf, path, number);
    if (!loaded)
        return refuse(cf, ngx::view(path), loaded.error().c_str(), number);
    if (!settings.keys)
        settings.keys = ngx_array_create(cf->pool, 2, sizeof(api_token::Key*));
    auto* keys = ngx::make<Keys>(cf->pool, std::move(*loaded));
    if (!settings.keys || !keys)
        return static_cast<char*>(NGX_CONF_ERROR);

    for (const auto& key : *keys) {
        if (has_kid(settings, key.kid()))
            return refuse(cf, ngx::view(path), "holds a key whose kid another key has: give each its own");
        if (settings.keys->nelts == 0 && !key.can_sign())
            return refuse(cf, ngx::view(path),
                          "holds a public key, but the first key signs: put a private one first");
        auto** place = static_cast<const api_token::Key**>(ngx_array_push(settings.keys));
        if (!place)
            return static_cast<char*>(NGX_CONF_ERROR);
        *place = &key;
    }
    return NGX_CONF_OK;
}

} // namespace conf
