#pragma once

#include "http/settings.hpp"
#include "ngx/nginx.hpp"

namespace conf {

/// The handlers of directives, `conf` being the location's Settings. A wrong one is told with what to do.
char* set_api_token(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_jwks(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_introspect(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_metrics(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_redis(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_key(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_claim(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_caller(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_admin_key(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_auth(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_cache(ngx_conf_t* cf, ngx_command_t* command, void* conf);
/// A time above zero; `post` of the command says whether `off` is one.
char* set_time(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Logs a wrong directive with file and line: NAME "ARGUMENT" SENTENCE.
char* refuse(ngx_conf_t* cf, std::string_view argument, const char* sentence, ngx_err_t number = 0);

/// Splits `name=value`; both are empty where there is no equals sign.
struct Parameter {
    std::string_view name;
    std::string_view value;
};
Parameter split(const ngx_str_t& argument);

/// The value of a parameter, which may hold variables; null when it cannot be compiled.
ngx_http_complex_value_t* compile(ngx_conf_t* cf, std::string_view text);

/// Inherits what a location leaves open, and refuses what does not fit together.
void* create_location(ngx_conf_t* cf);
char* merge_location(ngx_conf_t* cf, void* parent, void* child);

} // namespace conf
