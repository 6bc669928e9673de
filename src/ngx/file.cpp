#include "file.hpp"

namespace ngx {

namespace {

constexpr off_t largest_file = 1024 * 1024;

void wipe(void* data)
{
    auto* bytes = static_cast<ngx_str_t*>(data);
    ngx_explicit_memzero(bytes->data, bytes->len);
}

SecretFile failure(const char* error, ngx_err_t number = 0)
{
    return {ngx_null_string, error, number};
}

SecretFile read_open_file(ngx_pool_t* pool, ngx_fd_t fd)
{
    ngx_file_info_t info;
    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR)
        return failure("cannot be read", ngx_errno);
    if (!ngx_is_file(&info))
        return failure("is not a file");
    if (info.st_mode & (S_IWGRP | S_IWOTH))
        return failure("may be written by its group or by others: chmod go-w it");
    if (ngx_file_size(&info) > largest_file)
        return failure("is larger than 1 MiB, which no key file is");

    auto size = static_cast<std::size_t>(ngx_file_size(&info));
    auto* cleanup = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    auto* bytes = cleanup ? static_cast<u_char*>(ngx_pnalloc(pool, size + 1)) : nullptr;
    if (!bytes)
        return failure("finds no memory");
    *static_cast<ngx_str_t*>(cleanup->data) = {size, bytes};
    cleanup->handler = wipe;
    auto got = ngx_read_fd(fd, bytes, size);
    if (got < 0)
        return failure("cannot be read", ngx_errno);
    return {{static_cast<std::size_t>(got), bytes}, nullptr, 0};
}

} // namespace

SecretFile read_secret_file(ngx_conf_t* cf, ngx_pool_t* pool, ngx_str_t& path)
{
    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK)
        return failure("finds no memory");
    auto fd = ngx_open_file(path.data, NGX_FILE_RDONLY | NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE)
        return failure("cannot be opened", ngx_errno);
    auto file = read_open_file(pool, fd);
    ngx_close_file(fd);
    return file;
}

} // namespace ngx
