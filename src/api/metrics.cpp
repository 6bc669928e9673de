#include "metrics.hpp"

#include "http/context.hpp"
#include "http/errors.hpp"
#include "metrics/metrics.hpp"
#include "ngx/answer.hpp"

#include <algorithm>

namespace api {

namespace {

using api_token::Operation;
using api_token::Refusal;
using metrics::Counter;
using metrics::Worker;

constexpr std::size_t fixed_capacity = 12 * 1024;
constexpr std::size_t request_capacity = 128;

class Page {
public:
    Page(const metrics::Shared& shared, std::span<char> memory) : shared_(shared), out_(memory) {}

    /// What samples follow of. All names begin with nginx_api_token_.
    void family(std::string_view family, std::string_view type, std::string_view help)
    {
        family_ = family;
        out_.raw("# HELP nginx_api_token_").raw(family).raw(" ").raw(help).raw("\n");
        out_.raw("# TYPE nginx_api_token_").raw(family).raw(" ").raw(type).raw("\n");
    }

    /// `texts` are names of labels, each with its value behind it.
    void sample(std::uint64_t value, std::initializer_list<std::string_view> texts = {},
                std::string_view suffix = {})
    {
        begin(texts, suffix);
        out_.number(static_cast<std::int64_t>(value)).raw("\n");
    }

    void seconds(std::uint64_t microseconds, std::string_view suffix)
    {
        begin({}, suffix);
        write_seconds(out_, microseconds);
        out_.raw("\n");
    }

    template <class Read>
    std::uint64_t sum(Read read) const
    {
        std::uint64_t total = 0;
        for (const auto& worker : shared_.workers)
            total += read(worker).load(std::memory_order_relaxed);
        return total;
    }

    std::uint64_t sum(Counter Worker::*counter) const
    {
        return sum([counter](const Worker& worker) -> const Counter& { return worker.*counter; });
    }

    /// Without zeros at its end.
    static void write_seconds(api_token::Writer& out, std::uint64_t microseconds)
    {
        char digits[] = ".000000";
        auto fraction = microseconds % 1000000;
        for (auto* at = digits + 6; at > digits; at--, fraction /= 10)
            *at = static_cast<char>('0' + fraction % 10);
        std::string_view text(digits, 7);
        out.number(static_cast<std::int64_t>(microseconds / 1000000));
        out.raw(text.substr(0, text.find_last_not_of(".0") + 1));
    }

    const metrics::Shared& shared() const { return shared_; }
    bool overflowed() const { return out_.overflowed(); }
    std::string_view view() const { return out_.view(); }

private:
    void begin(std::initializer_list<std::string_view> texts, std::string_view suffix)
    {
        out_.raw("nginx_api_token_").raw(family_).raw(suffix);
        std::string_view before = "{";
        for (const auto* text = texts.begin(); text != texts.end(); text += 2) {
            out_.raw(before).raw(text[0]).raw("=\"").raw(text[1]).raw("\"");
            before = ",";
        }
        out_.raw(texts.size() ? "} " : " ");
    }

    const metrics::Shared& shared_;
    api_token::Writer out_;
    std::string_view family_;
};

void write_requests(Page& page)
{
    page.family("requests_total", "counter", "Answers of the API, by operation and HTTP status.");
    for (std::size_t operation = 0; operation < api_token::operations; operation++) {
        auto word = name(static_cast<Operation>(operation));
        for (std::size_t status = 0; status < metrics::statuses; status++) {
            auto count = page.shared().requests[operation][status].load(std::memory_order_relaxed);
            const char digits[] = {static_cast<char>('0' + status / 100),
                                   static_cast<char>('0' + status / 10 % 10),
                                   static_cast<char>('0' + status % 10)};
            if (count)
                page.sample(count, {"operation", word.empty() ? "none" : word, "status", {digits, 3}});
        }
    }
}

void write_checks(Page& page)
{
    page.family("checks_total", "counter", "Checks by auth_api_token, by result and $api_token_error.");
    page.sample(page.sum(&Worker::checks_allowed), {"result", "allowed", "reason", ""});
    for (std::size_t refusal = 0; refusal < api_token::refusals; refusal++) {
        auto reason = static_cast<Refusal>(refusal);
        auto count = page.sum(
            [refusal](const Worker& worker) -> const Counter& { return worker.checks_refused[refusal]; });
        page.sample(count, {"result", reason == Refusal::unavailable ? "unavailable" : "refused", "reason",
                            name(reason)});
    }
}

void write_cache(Page& page, store::Cache& cache)
{
    page.family("cache_lookups_total", "counter", "Tokens looked up in the cache; a hit asks no Redis.");
    page.sample(page.sum(&Worker::cache_hits), {"result", "hit"});
    page.sample(page.sum(&Worker::cache_misses), {"result", "miss"});
    auto size = cache.size();
    page.family("cache_entries", "gauge", "Tokens in the cache.");
    page.sample(size.entries);
    page.family("cache_evictions_total", "counter", "Tokens that had to leave the full cache.");
    page.sample(size.evictions);
}

void write_commands(Page& page)
{
    constexpr std::string_view results[] = {"ok", "error", "timeout"};
    page.family("redis_commands_total", "counter", "Commands to Redis, by how they ended.");
    for (std::size_t result = 0; result < std::size(results); result++)
        page.sample(
            page.sum([result](const Worker& worker) -> const Counter& { return worker.commands[result]; }),
            {"result", results[result]});
}

void write_durations(Page& page)
{
    page.family("redis_duration_seconds", "histogram", "How long commands to Redis took.");
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= std::size(metrics::duration_bounds); i++) {
        count += page.sum([i](const Worker& worker) -> const Counter& { return worker.durations[i]; });
        char memory[16];
        api_token::Writer bound(memory);
        if (i < std::size(metrics::duration_bounds))
            Page::write_seconds(bound, metrics::duration_bounds[i]);
        else
            bound.raw("+Inf");
        page.sample(count, {"le", bound.view()}, "_bucket");
    }
    page.seconds(page.sum(&Worker::duration_sum), "_sum");
    page.sample(count, {}, "_count");
}

void write_connections(Page& page, const http::MainSettings& settings)
{
    page.family("redis_connected", "gauge", "Whether every worker is connected to Redis.");
    page.sample(page.shared().is_connected());
    page.family("redis_reconnects_total", "counter", "Connections to Redis that were made again.");
    page.sample(page.sum(&Worker::reconnects));
    if (!settings.cache)
        return;
    page.family("revocations_heard_total", "counter", "Changes of tokens that Redis told of.");
    page.sample(page.sum(&Worker::changes_heard));
    page.family("listening", "gauge", "Whether changes of tokens are heard, so that the cache is believed.");
    auto stores = settings.stores();
    page.sample(std::all_of(stores.begin(), stores.end(), [](auto* one) { return one->is_listening(); }));
}

std::size_t capacity_of(const metrics::Shared& shared)
{
    std::size_t capacity = fixed_capacity;
    for (const auto& statuses : shared.requests)
        for (const auto& count : statuses)
            capacity += count.load(std::memory_order_relaxed) ? request_capacity : 0;
    return capacity;
}

ngx::Content page(ngx::Request& request)
{
    if (!(request.r()->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)))
        co_return http::errors::method_not_allowed("GET, HEAD");
    const auto& settings = http::MainSettings::of(request.r());
    const auto& shared = metrics::shared(settings.metrics);
    Page page(shared, ngx::allocate(request.pool(), capacity_of(shared)));
    write_requests(page);
    write_checks(page);
    if (settings.cache)
        write_cache(page, *settings.cache);
    write_commands(page);
    write_durations(page);
    write_connections(page, settings);
    if (page.overflowed())
        co_return http::errors::unexpected();
    ngx::Answer answer;
    answer.status = NGX_HTTP_OK;
    answer.body = page.view();
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    co_return answer.with("Cache-Control", "no-store");
}

ngx_http_output_header_filter_pt next_header_filter;

ngx_int_t filter_header(ngx_http_request_t* r)
{
    auto served = http::Settings::of(r).served;
    if (r == r->main && (served == http::Served::api || served == http::Served::introspection))
        metrics::count_request(http::find_route(r).operation, r->headers_out.status);
    return next_header_filter(r);
}

} // namespace

ngx_int_t handle_metrics(ngx_http_request_t* r)
{
    return ngx::serve(r, page);
}

void count_answers()
{
    next_header_filter = std::exchange(ngx_http_top_header_filter, filter_header);
}

} // namespace api
