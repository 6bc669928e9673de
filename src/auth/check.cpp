#include "check.hpp"

#include "credentials.hpp"
#include "http/errors.hpp"
#include "metrics/metrics.hpp"
#include "ngx/task.hpp"

namespace auth {

namespace {

using api_token::Refusal;
using store::Standing;

/// In seconds: how long uses that nothing remembers come together before one of them is written.
constexpr time_t gathering_time = 1;

ngx_http_output_header_filter_pt next_header_filter;

/// What Redis said: nothing where the token passes.
using Judgement = std::optional<Refusal>;

Judgement judge(Standing standing)
{
    switch (standing) {
    case Standing::active:
        return std::nullopt;
    case Standing::suspended:
        return Refusal::suspended;
    case Standing::revoked:
        return Refusal::revoked;
    case Standing::expired:
        return Refusal::expired;
    case Standing::unknown:
        break;
    }
    return Refusal::unknown;
}

/// An error_page may lead to another location that asks for the same.
bool add_challenge(ngx_http_request_t* r, http::Presented& presented, const char* rest)
{
    auto text = http::challenge(r, rest);
    auto* earlier = r->headers_out.www_authenticate;
    bool is_said = earlier && earlier->hash && text.data() && ngx::view(earlier->value) == text;
    if (is_said) {
        presented.challenge = earlier;
        return true;
    }
    if (!text.data() || !ngx::add_header(r, "WWW-Authenticate", text))
        return false;
    auto& headers = r->headers_out.headers;
    presented.challenge = &static_cast<ngx_table_elt_t*>(headers.last->elts)[headers.last->nelts - 1];
#if (nginx_version >= 1023000)
    presented.challenge->next = r->headers_out.www_authenticate;
#endif
    r->headers_out.www_authenticate = presented.challenge;
    return true;
}

/// The status that nginx answers with, so that `satisfy` and `error_page` hold.
ngx_int_t refuse(ngx_http_request_t* r, http::Presented& presented, Refusal refusal)
{
    http::Context::find(r)->keep(r);
    auto answer = http::answer_of(refusal);
    auto word = name(refusal);
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "api token refused: %*s", word.size(), word.data());
    presented.refusal = refusal;
    presented.refusal_body = answer.body;
    if (answer.challenge && !add_challenge(r, presented, answer.challenge))
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return answer.status;
}

/// Whether the location asks for another scope.
bool is_of_other_scope(ngx_int_t required_scope, const api_token::Identity& identity)
{
    return required_scope != NGX_CONF_UNSET && !identity.is_admin() &&
           required_scope != static_cast<ngx_int_t>(identity.scope);
}

/// An identity is there only where nothing is held against the token.
ngx_int_t decide(ngx_http_request_t* r, http::Presented& presented, Judgement judgement)
{
    if (!judgement && is_of_other_scope(http::Settings::of(r).required_scope, presented.identity))
        judgement = Refusal::scope;
    auto& counted = metrics::worker();
    metrics::count(judgement ? counted.checks_refused[static_cast<std::size_t>(*judgement)]
                             : counted.checks_allowed);
    presented.verdict = judgement ? refuse(r, presented, *judgement) : NGX_OK;
    return *presented.verdict;
}

/// The end of a question: the request goes on where it waits.
struct Outcome {
    api_token::Result<Judgement, redis::Failure> judgement = redis::Failure::unavailable;

    void deliver(ngx::Request& request) const
    {
        auto* r = request.r();
        auto& presented = http::Context::find(r)->presented;
        if (judgement) {
            decide(r, presented, *judgement);
        } else if (judgement.error() == redis::Failure::unavailable) {
            decide(r, presented, Refusal::unavailable);
        } else {
            http::Context::find(r)->keep(r);
            metrics::count(metrics::worker().checks_refused[static_cast<std::size_t>(Refusal::unavailable)]);
            presented.refusal = Refusal::unavailable;
            presented.refusal_body = http::body_of_status(NGX_HTTP_INTERNAL_SERVER_ERROR);
            presented.verdict = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        if (!std::exchange(presented.is_waiting, false))
            return;
        r->read_event_handler = ngx_http_block_reading;
        ngx_http_core_run_phases(r);
    }
};

/// What the cache remembers is written by whoever claims it, once the interval since the last use that Redis
/// knows is over.
void note_use(const http::Settings& settings, const http::Presented& presented, bool is_remembered,
              api_token::Seconds last_used_at)
{
    auto interval = settings.last_used_interval;
    if (!interval)
        return;
    auto& uses = settings.store->uses();
    auto left = [interval](auto written_at) {
        return ngx_min(ngx_max(written_at + interval - ngx_time(), 0), interval);
    };
    if (!is_remembered && left(last_used_at) == 0)
        uses.write_later(presented.digest, presented.identity, gathering_time);
    if (!is_remembered)
        return;
    // Redis may have been asked before the last write
    if (auto written_at = settings.store->cache()->claim_use(presented.digest, interval))
        uses.write_later(presented.digest, presented.identity, left(ngx_max(*written_at, last_used_at)));
}

/// What the cache knows of it, now: it may have been looked at long ago, since limit_req delays requests, and
/// what is asked takes its time.
void look_again(const http::Settings& settings, http::Presented& presented)
{
    if (auto* cache = settings.store->cache(); cache && !presented.refusal)
        presented.known = cache->find(presented.digest, settings.store->channel(),
                                      settings.last_used_interval, presented.identity);
}

ngx::Task<Outcome> ask(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    auto& presented = http::Context::find(request.r())->presented;
    auto* cache = settings.store->cache();

    auto answer = co_await store::Ask(request, *settings.store, presented.identity);
    if (!answer) {
        look_again(settings, presented);
        bool passes = answer.error() == redis::Failure::unavailable && cache && presented.known &&
                      presented.identity.expires_at > ngx_time() && cache->passes_unasked(*presented.known);
        if (passes)
            co_return Outcome{Judgement()};
        co_return Outcome{answer.error()};
    }
    bool is_remembered = cache && cache->remember(presented.digest, settings.store->channel(),
                                                  presented.identity, answer->standing, answer->asked);
    if (answer->standing == Standing::active)
        note_use(settings, presented, is_remembered, answer->last_used_at);
    co_return Outcome{judge(answer->standing)};
}

ngx_int_t wait(ngx_http_request_t* r, http::Presented& presented)
{
    auto* request = ngx::Request::make(r);
    if (!request || !ask(*request).start(*request))
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (presented.verdict)
        return *presented.verdict;
    presented.is_waiting = true;
    r->read_event_handler = ngx_http_test_reading;
    return NGX_AGAIN;
}

/// An admin's JWT is in no store: it is active until it expires.
ngx_int_t check_admin(ngx_http_request_t* r, const http::Settings& settings, http::Presented& presented)
{
    if (auto* cache = settings.store->cache(); cache && !presented.known)
        cache->remember(presented.digest, settings.store->channel(), presented.identity, Standing::active,
                        {});
    return decide(r, presented, std::nullopt);
}

ngx_int_t check_presented(ngx_http_request_t* r, const http::Settings& settings, http::Presented& presented)
{
    if (presented.refusal == Refusal::missing && settings.takes_callers())
        return NGX_DECLINED;
    if (presented.refusal)
        return decide(r, presented, presented.refusal);
    if (presented.identity.expires_at <= ngx_time())
        return decide(r, presented, Refusal::expired);
    if (presented.identity.is_admin())
        return check_admin(r, settings, presented);
    if (!presented.known || !presented.known->is_current)
        return wait(r, presented);
    if (presented.known->is_use_due &&
        settings.store->cache()->claim_use(presented.digest, settings.last_used_interval))
        settings.store->uses().write_later(presented.digest, presented.identity, settings.last_used_interval);
    return decide(r, presented, judge(presented.known->standing));
}

/// Whether the check has decided, and in this location.
bool is_decided(const ngx_http_request_t* r, const http::Context* context)
{
    return context && context->presented.verdict && context->presented.settings == &http::Settings::of(r);
}

/// A subrequest that was let in may have been led here by a rewrite.
void leave_location(ngx_http_request_t* r)
{
    auto* context = http::Context::find(r);
    if (context && context->presented.settings != &http::Settings::of(r))
        context->presented = {};
}

ngx_int_t check(ngx_http_request_t* r)
{
    if (!is_checked(r)) {
        leave_location(r);
        return NGX_DECLINED;
    }
    auto* context = http::Context::get(r);
    if (!context)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    auto& presented = context->presented;
    const auto& settings = http::Settings::of(r);
    if (presented.is_waiting)
        return NGX_AGAIN;
    if (is_decided(r, context))
        return *presented.verdict;

    // a context that was made in the rewrite phase knows an older path, or an older location
    context->route = http::find_route(r);
    bool is_looked_at = presented.settings == &settings;
    look(r, *context);
    if (is_looked_at)
        look_again(settings, presented);
    return check_presented(r, settings, presented);
}

/// Whether it is answered by `return`, or by another module of the same phase.
bool is_in_rewrite_phase(const ngx_http_request_t* r)
{
    auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    return main->phase_engine.handlers[r->phase_handler].checker == ngx_http_core_rewrite_phase;
}

/// Such a `return` is one behind a `set`. Errors are refusals anyway.
ngx_int_t filter_subrequest(ngx_http_request_t* r)
{
    bool is_error = r->err_status >= NGX_HTTP_BAD_REQUEST;
    if (r == r->main || is_error || !is_in_rewrite_phase(r) || is_decided(r, http::Context::find(r)) ||
        !is_checked(r))
        return next_header_filter(r);
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "a subrequest was answered before auth_api_token had its token or realm: no `return` here");
    r->headers_out.status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    r->headers_out.status_line.len = 0;
    r->header_only = 1;
    return next_header_filter(r);
}

} // namespace

ngx_int_t check_main(ngx_http_request_t* r)
{
    return check(r);
}

ngx_int_t check_subrequest(ngx_http_request_t* r)
{
    if (r == r->main)
        return NGX_DECLINED;
    auto status = check(r);
    return status == NGX_OK ? NGX_DECLINED : status;
}

ngx_int_t check_subrequest_early(ngx_http_request_t* r)
{
    const auto& settings = http::Settings::of(r);
    bool may_be_set = settings.token_source && !settings.is_token_sent;
    if (may_be_set || (settings.realm && settings.realm->lengths))
        return NGX_DECLINED;
    auto status = check_subrequest(r);
    return status == NGX_AGAIN ? NGX_DONE : status;
}

void install_subrequest_filter()
{
    next_header_filter = std::exchange(ngx_http_top_header_filter, filter_subrequest);
}

const api_token::Identity* presented_identity(ngx_http_request_t* r)
{
    auto* context = http::Context::find(r);
    if (is_decided(r, context))
        return *context->presented.verdict == NGX_OK ? &context->presented.identity : nullptr;
    if (!is_checked(r) || !(context = http::Context::get(r)))
        return nullptr;
    auto& presented = look(r, *context);
    auto* kept = http::Context::find_kept(r);
    bool was_refused = kept && kept->presented.token == presented.token;
    return was_refused || presented.refusal ? nullptr : &presented.identity;
}

} // namespace auth
