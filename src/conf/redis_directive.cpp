#include "directives.hpp"

#include "http/settings.hpp"
#include "ngx/file.hpp"
#include "redis/url.hpp"

namespace conf {

namespace {

constexpr const char* no_parameter = "is no parameter: there are prefix=, user=, password_file=, "
                                     "connect_timeout=, timeout=, wait=, ca=, cert= and key=";

struct Parameters {
    redis::Options options;
    std::string_view prefix = "api_token:";
    /// The system's error number of what is wrong, 0 where it has nothing to say.
    ngx_err_t number = 0;
};

const char* read_password(ngx_conf_t* cf, std::string_view path, Parameters& parameters)
{
    auto name = ngx::str(path);
    auto file = ngx::read_secret_file(cf, cf->pool, name);
    parameters.number = file.number;
    if (file.error)
        return file.error;
    auto& password = parameters.options.password;
    password = ngx::view(file.bytes);
    password = password.substr(0, password.find_first_of("\r\n"));
    return password.empty() ? "holds no password in its first line" : nullptr;
}

const char* read_timeout(std::string_view text, ngx_msec_t& timeout)
{
    auto value = ngx::str(text);
    auto parsed = ngx_parse_time(&value, 0);
    if (parsed == NGX_ERROR || parsed == 0)
        return "needs a time above zero, such as 500ms";
    timeout = static_cast<ngx_msec_t>(parsed);
    return nullptr;
}

const char* read_prefix(std::string_view text, std::string_view& prefix)
{
    if (text.find_first_of("{}") != text.npos)
        return "may hold no braces, which belong to the hash tag";
    prefix = text;
    return nullptr;
}

const char* read_replicas(std::string_view text, unsigned& replicas)
{
    constexpr ngx_int_t most = 100;
    auto number = ngx_atoi(ngx::str(text).data, text.size());
    if (number < 1 || number > most)
        return "needs a number of replicas from 1 to 100";
    replicas = static_cast<unsigned>(number);
    return nullptr;
}

/// Where a parameter that names a file is kept; null where it is none.
std::string_view* file_of(std::string_view name, redis::Options& options)
{
    if (name == "ca")
        return &options.ca;
    if (name == "cert")
        return &options.cert;
    return name == "key" ? &options.key : nullptr;
}

const char* read_path(ngx_conf_t* cf, std::string_view text, std::string_view& path, ngx_err_t& number)
{
    auto name = ngx::str(text);
    auto file = ngx::read_secret_file(cf, cf->temp_pool, name);
    path = ngx::view(name);
    number = file.number;
    return file.error;
}

const char* read_parameter(ngx_conf_t* cf, std::string_view name, std::string_view value,
                           Parameters& parameters)
{
    auto& options = parameters.options;
    if (name == "prefix")
        return read_prefix(value, parameters.prefix);
    if (name == "user")
        return value.empty() ? "needs a name" : (options.user = value, nullptr);
    if (name == "password_file")
        return read_password(cf, value, parameters);
    if (name == "connect_timeout")
        return read_timeout(value, options.connect_timeout);
    if (name == "timeout")
        return read_timeout(value, options.timeout);
    if (name == "wait")
        return read_replicas(value, options.replicas);
    if (auto* place = file_of(name, options))
        return read_path(cf, value, *place, parameters.number);
    return no_parameter;
}

/// Without what may be a password.
std::string_view told_of_url(ngx_conf_t* cf, std::string_view url)
{
    auto at = url.rfind('@');
    if (at == url.npos)
        return url.substr(0, url.find('?'));
    auto scheme = url.find("://");
    return ngx::concat(cf->pool, {url.substr(0, scheme == url.npos ? 0 : scheme + 3), "***", url.substr(at)});
}

std::string_view told_of_parameter(std::string_view parameter, const char* error)
{
    return error == no_parameter ? parameter.substr(0, parameter.find('=')) : parameter;
}

struct Mistake {
    /// Empty where there is none.
    std::string_view argument;
    const char* sentence;
};

/// Makes what rediss:// needs, and sentinel:// and cluster:// with these files.
Mistake set_tls(ngx_conf_t* cf, redis::Options& options)
{
    bool has_files = !options.ca.empty() || !options.cert.empty() || !options.key.empty();
    bool is_rediss = options.url.starts_with("rediss:");
    if (!is_rediss && !has_files)
        return {};
    if (!is_rediss && options.topology == redis::Topology::single)
        return {"ca=, cert=, key=", "stand with rediss://, sentinel:// and cluster:// only"};
    if (auto* error = redis::Tls::missing())
        return {"ca=", error};
    if (options.ca.empty())
        return {"ca=", "is missing: name the file of the certificates that Redis's is checked by"};
    if (options.cert.empty() != options.key.empty())
        return {"cert=, key=", "need one another"};
    auto* tls = ngx::make<redis::Tls>(cf->pool);
    options.tls = tls;
    if (auto* error = tls ? tls->trust(options.ca) : "finds no memory")
        return {"ca=", error};
    auto* error = options.cert.empty() ? nullptr : tls->identify(options.cert, options.key);
    return error ? Mistake{"cert=", error} : Mistake{};
}

/// Places that say the same share one; null when there is no memory.
store::Store* find_or_make_store(ngx_conf_t* cf, const Parameters& parameters)
{
    auto& main = http::MainSettings::of(cf);
    for (auto* known : main.stores())
        if (known->options() == parameters.options && known->prefix() == parameters.prefix)
            return known;
    auto changes = ngx::concat(cf->pool, {parameters.prefix, "changes"});
    auto* locator = redis::make_locator(cf->pool, parameters.options);
    // a cluster of connections of its own for what is written, as elsewhere one connection
    bool is_second = locator && locator->server() && parameters.options.replicas;
    auto* writing_locator = is_second ? redis::make_locator(cf->pool, parameters.options) : locator;
    if (!writing_locator)
        return nullptr;
    auto* made = ngx::make<store::Store>(cf->pool, parameters.options, *locator, *writing_locator,
                                         parameters.prefix, changes);
    auto** place = static_cast<store::Store**>(ngx_array_push(&main.store_list));
    if (made && place)
        *place = made;
    return place ? made : nullptr;
}

} // namespace

char* set_redis(ngx_conf_t* cf, ngx_command_t*, void* conf)
{
    auto& settings = *static_cast<http::Settings*>(conf);
    if (settings.store)
        return const_cast<char*>("is duplicate");
    auto* arguments = static_cast<ngx_str_t*>(cf->args->elts);
    Parameters parameters;
    if (auto* error = redis::parse_url(cf, ngx::view(arguments[1]), parameters.options))
        return refuse(cf, told_of_url(cf, ngx::view(arguments[1])), error);
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        auto [name, value] = split(arguments[i]);
        if (auto* error = read_parameter(cf, name, value, parameters))
            return refuse(cf, told_of_parameter(ngx::view(arguments[i]), error), error, parameters.number);
    }
    if (!parameters.options.user.empty() && parameters.options.password.empty())
        return refuse(cf, "user=", "needs password_file= beside it");

    if (auto [argument, sentence] = set_tls(cf, parameters.options); sentence)
        return refuse(cf, argument, sentence);

    settings.store = find_or_make_store(cf, parameters);
    return static_cast<char*>(settings.store ? NGX_CONF_OK : NGX_CONF_ERROR);
}

} // namespace conf
