#include "context.hpp"

namespace http {

namespace {

struct Kept {
    const ngx_http_request_t* request;
    const Context* context;
};

/// Marks a Kept among the pool's cleanups, which no redirect forgets.
void mark(void*) {}

} // namespace

const Context* Context::find_kept(const ngx_http_request_t* r)
{
    for (auto* cleanup = r->pool->cleanup; cleanup; cleanup = cleanup->next) {
        auto* kept = static_cast<Kept*>(cleanup->data);
        if (cleanup->handler == mark && kept->request == r)
            return kept->context;
    }
    return nullptr;
}

Context* Context::get(ngx_http_request_t* r)
{
    if (auto* context = find(r))
        return context;
    auto* memory = ngx_palloc(r->pool, sizeof(Context));
    if (!memory)
        return nullptr;
    auto* context = new (memory) Context;
    context->route = find_route(r);
    ngx_http_set_ctx(r, context, ngx_http_api_token_module);
    return context;
}

bool Context::keep(ngx_http_request_t* r)
{
    auto* cleanup = ngx_pool_cleanup_add(r->pool, sizeof(Kept));
    if (!cleanup)
        return false;
    *static_cast<Kept*>(cleanup->data) = {r, this};
    cleanup->handler = mark;
    return true;
}

} // namespace http
