#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace ngx {

inline std::string_view view(const ngx_str_t& text)
{
    return {reinterpret_cast<const char*>(text.data), text.len};
}

/// nginx never writes through the pointer, though its type would let it.
inline ngx_str_t str(std::string_view text)
{
    return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

/// Memory of a pool for `size` characters; empty when there is none.
inline std::span<char> allocate(ngx_pool_t* pool, std::size_t size)
{
    auto* memory = static_cast<char*>(ngx_pnalloc(pool, size));
    return memory ? std::span<char>(memory, size) : std::span<char>();
}

/// The texts one behind the other in memory of the pool; empty, with a null pointer, when there is none.
inline std::string_view concat(ngx_pool_t* pool, std::initializer_list<std::string_view> texts)
{
    std::size_t size = 0;
    for (auto text : texts)
        size += text.size();
    auto* memory = static_cast<char*>(ngx_pnalloc(pool, size));
    if (!memory)
        return {};
    char* at = memory;
    for (auto text : texts)
        at = std::copy(text.begin(), text.end(), at);
    return {memory, size};
}

inline std::string_view copy(ngx_pool_t* pool, std::string_view text)
{
    return concat(pool, {text});
}

/// A place in one of nginx's queues that knows whose it is. It leaves its queue when it dies.
template <class T>
struct Link {
    ngx_queue_t queue;
    T* owner;

    explicit Link(T* owner) : owner(owner) { ngx_queue_init(&queue); }
    ~Link() { leave(); }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    void join(ngx_queue_t* other) { ngx_queue_insert_tail(other, &queue); }
    void leave()
    {
        ngx_queue_remove(&queue);
        ngx_queue_init(&queue);
    }
    static T* owner_of(ngx_queue_t* queue) { return reinterpret_cast<Link*>(queue)->owner; }
};

/// A T in memory of the pool, destroyed with it; null when there is no memory.
template <class T, class... Args>
T* make(ngx_pool_t* pool, Args&&... args)
{
    auto* cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
    if (!cleanup)
        return nullptr;
    auto* object = new (cleanup->data) T(std::forward<Args>(args)...);
    cleanup->handler = [](void* data) { static_cast<T*>(data)->~T(); };
    return object;
}

/// Appends a response header, and answers where it is, or null. The name and the value live as long as the
/// request.
inline ngx_table_elt_t* add_header(ngx_http_request_t* r, std::string_view name, std::string_view value)
{
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (!header)
        return nullptr;
    *header = {};
    header->hash = 1;
    header->key = str(name);
    header->value = str(value);
    return header;
}

/// The first request header of that name, compared without case; nothing where there is none.
const ngx_table_elt_t* find_header(const ngx_http_request_t* r, std::string_view name);

/// Whether the body is said to be of that type, with parameters or without.
bool has_media_type(const ngx_http_request_t* r, std::string_view type);

} // namespace ngx
