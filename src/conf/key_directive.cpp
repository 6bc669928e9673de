#include "directives.hpp"

#include "http/settings.hpp"
#include "ngx/file.hpp"

#include <algorithm>
#include <string>

namespace conf {

namespace {

using Keys = std::vector<api_token::Key>;
using Loaded = api_token::Result<Keys, std::string>;

/// The keys of a file, in the configuration's pool, or null after its error was told.
Keys* load(ngx_conf_t* cf, ngx_str_t& path)
{
    auto* pool = ngx_create_pool(1024, cf->log);
    if (!pool)
        return nullptr;
    auto file = ngx::read_secret_file(cf, pool, path);
    auto loaded = file.error ? Loaded(std::string(file.error)) : api_token::load_keys(ngx::view(file.bytes));
    ngx_destroy_pool(pool);
    if (loaded)
        return ngx::make<Keys>(cf->pool, std::move(*loaded));
    refuse(cf, ngx::view(path), loaded.error().c_str(), file.number);
    return nullptr;
}

bool has_kid(std::span<const api_token::Key* const> keys, std::string_view kid)
{
    return !kid.empty() &&
           std::any_of(keys.begin(), keys.end(), [&](const auto* key) { return key->kid() == kid; });
}

const char* read_admin_claim(const ngx_str_t& argument, http::AdminKeys& admin)
{
    auto [name, value] = split(argument);
    if (name != "issuer" && name != "audience")
        return "is no parameter: there are issuer= and audience=";
    if (value.empty() || !api_token::is_utf8(value))
        return "needs a text in UTF-8";
    (name == "issuer" ? admin.issuer : admin.audience) = value;
    return nullptr;
}

} // namespace

char* set_key(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    auto& path = static_cast<ngx_str_t*>(cf->args->elts)[1];
    auto* keys = load(cf, path);
    if (keys && !settings.keys)
        settings.keys = ngx_array_create(cf->pool, 2, sizeof(api_token::Key*));
    if (!keys || !settings.keys)
        return static_cast<char*>(NGX_CONF_ERROR);

    for (const auto& key : *keys) {
        if (has_kid(settings.verifying_keys(), key.kid()))
            return refuse(cf, ngx::view(path), "holds a key whose kid another key has: give each its own");
        auto** place = static_cast<const api_token::Key**>(ngx_array_push(settings.keys));
        if (!place)
            return static_cast<char*>(NGX_CONF_ERROR);
        *place = &key;
    }
    return NGX_CONF_OK;
}

char* set_admin_key(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    auto* arguments = static_cast<ngx_str_t*>(cf->args->elts);
    http::AdminKeys admin{};
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++)
        if (const auto* error = read_admin_claim(arguments[i], admin))
            return refuse(cf, ngx::view(arguments[i]), error);

    auto* keys = load(cf, arguments[1]);
    if (keys && !settings.admin_keys)
        settings.admin_keys = ngx_array_create(cf->pool, 2, sizeof(http::AdminKeys));
    auto* place = keys && settings.admin_keys ? ngx_array_push(settings.admin_keys) : nullptr;
    auto* pointers = static_cast<const api_token::Key**>(
        keys ? ngx_palloc(cf->pool, keys->size() * sizeof(void*)) : nullptr);
    if (!place || !pointers)
        return static_cast<char*>(NGX_CONF_ERROR);
    for (std::size_t i = 0; i < keys->size(); i++) {
        if (has_kid({pointers, i}, (*keys)[i].kid()))
            return refuse(cf, ngx::view(arguments[1]), "holds two keys of one kid: give each its own");
        pointers[i] = &(*keys)[i];
    }
    admin.keys = {pointers, keys->size()};
    new (place) http::AdminKeys(admin);
    return NGX_CONF_OK;
}

} // namespace conf
