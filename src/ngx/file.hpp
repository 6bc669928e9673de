#pragma once

#include "nginx.hpp"

namespace ngx {

/// A file that the configuration names, with secrets in it.
struct SecretFile {
    /// Its bytes, wiped when the pool goes; null when `error` says why not.
    ngx_str_t bytes;
    /// What is wrong and what to do; null when nothing is.
    const char* error;
    /// The system's error number, 0 where it has nothing to say.
    ngx_err_t number;
};

/// Reads a file of at most 1 MiB that neither its group nor others may write. A relative path is one below
/// the configuration's folder. `pool` is to be short-lived.
SecretFile read_secret_file(ngx_conf_t* cf, ngx_pool_t* pool, ngx_str_t& path);

} // namespace ngx
