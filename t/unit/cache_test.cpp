#include "cmocka.hpp"

#include "store/cache.hpp"

#include <algorithm>
#include <csignal>
#include <functional>
#include <vector>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

// What the cache takes of nginx: one process at a time has the memory here, so the lock does nothing.
namespace {
ngx_time_t cached_time;
}
extern "C" {
volatile ngx_time_t* ngx_cached_time = &cached_time;
volatile ngx_msec_t ngx_current_msec;
ngx_pid_t ngx_pid = 1;
void ngx_shmtx_lock(ngx_shmtx_t*) {}
void ngx_shmtx_unlock(ngx_shmtx_t*) {}
uint32_t ngx_murmur_hash2(u_char* data, size_t size)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < size; i++) {
        hash = hash * 31 + data[i];
    }
    return hash;
}
void* ngx_slab_calloc(ngx_slab_pool_t* pool, size_t size)
{
    auto* begin = reinterpret_cast<u_char*>(pool) + 1024;
    return begin + size <= pool->end ? begin : nullptr;
}
}

namespace {

constexpr std::size_t size_of_zone = 9 * 1024;
constexpr std::size_t tokens = 12;

/// A zone in memory that processes share, and its cache.
class Zone {
public:
    Zone()
    {
        auto* memory = mmap(nullptr, size_of_zone, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
        zone_.shm.addr = static_cast<u_char*>(memory);
        pool().start = zone_.shm.addr + 1024;
        pool().end = zone_.shm.addr + size_of_zone;
        assert_int_equal(cache.attach(nullptr), NGX_OK);
    }
    ~Zone() { munmap(zone_.shm.addr, size_of_zone); }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

    /// Takes what another has in its memory.
    void copy(const Zone& other)
    {
        auto* own = pool().data;
        std::memcpy(zone_.shm.addr, other.zone_.shm.addr, size_of_zone);
        pool().start = zone_.shm.addr + 1024;
        pool().end = zone_.shm.addr + size_of_zone;
        pool().data = own;
    }

private:
    ngx_slab_pool_t& pool() { return *reinterpret_cast<ngx_slab_pool_t*>(zone_.shm.addr); }

    ngx_shm_zone_t zone_{};

public:
    store::Cache cache{&zone_, 60, 0};
};

api_token::Identity identity_of(std::size_t token)
{
    api_token::Identity identity{};
    auto text = std::string("01kx0000003nqk8n0123456789abcd") + static_cast<char>('a' + token % 20) + "0";
    std::copy(text.begin(), text.end(), identity.token_id.text.begin());
    return identity;
}

/// Few first bytes, so that several are in one chain.
api_token::Sha256 digest_of(std::size_t token)
{
    api_token::Sha256 digest{};
    digest[0] = static_cast<std::uint8_t>(token % 2);
    digest[31] = static_cast<std::uint8_t>(token + 1);
    return digest;
}

bool remember(store::Cache& cache, std::uint32_t channel, std::size_t token)
{
    auto identity = identity_of(token);
    return cache.remember(digest_of(token), channel, identity, store::Standing::active,
                          cache.now(channel, identity.token_id.view()));
}

/// Whether it is known; never as another.
bool is_known(store::Cache& cache, std::uint32_t channel, std::size_t token)
{
    api_token::Identity identity{};
    auto known = cache.find(digest_of(token), channel, 0, identity);
    if (known) {
        assert_text(identity.token_id.view(), identity_of(token).token_id.view());
    }
    return known && known->is_current;
}

/// Whatever was done to it before.
void works(store::Cache& cache, std::uint32_t channel, std::size_t capacity)
{
    for (std::size_t token = 0; token < tokens + 5; token++) {
        is_known(cache, channel, token);
    }
    for (std::size_t token = 0; token < tokens + 5; token++) {
        assert_true(remember(cache, channel, token));
        assert_true(is_known(cache, channel, token));
    }
    assert_int_equal(cache.size().entries, capacity);
    for (std::size_t token = tokens + 5 - capacity; token < tokens + 5; token++) {
        assert_true(is_known(cache, channel, token));
    }
    for (std::size_t token = 0; token < tokens + 5; token++) {
        cache.forget(identity_of(token).token_id.view());
        assert_false(is_known(cache, channel, token));
    }
    assert_int_equal(cache.size().entries, 0);
}

struct Full {
    Full() : channel(*zone.cache.channel_of("store"))
    {
        cached_time.sec = 1000;
        zone.cache.start_listening(channel);
        for (std::size_t token = 0; token < tokens; token++) {
            assert_true(remember(zone.cache, channel, token));
        }
        capacity = zone.cache.size().entries;
        assert_in_range(capacity, 4, tokens - 1);
        cached_time.sec++;
    }

    Zone zone;
    std::uint32_t channel;
    std::size_t capacity;
};

/// Looks behind each instruction of `change` at what a worker leaves that is killed there.
void killed_anywhere(const std::function<void(Full&)>& change)
{
    Full full;
    Zone left;
    auto child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        std::raise(SIGSTOP);
        change(full);
        _exit(0);
    }
    std::size_t looks = 0;
    int status = 0;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        left.copy(full.zone);
        works(left.cache, full.channel, full.capacity);
        if (looks++ == 0) {
            ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
        }
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr), 0);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_in_range(looks, 100, 1000000);
}

void known_and_forgotten(void**)
{
    Full full;
    works(full.zone.cache, full.channel, full.capacity);
}

void killed_while_it_forgets(void**)
{
    killed_anywhere([](Full& full) { full.zone.cache.forget(identity_of(tokens - 2).token_id.view()); });
}

void killed_while_it_remembers(void**)
{
    killed_anywhere([](Full& full) { remember(full.zone.cache, full.channel, tokens); });
}

void killed_while_it_finds(void**)
{
    killed_anywhere([](Full& full) { is_known(full.zone.cache, full.channel, tokens - 2); });
}

void clock_that_is_set_back(void**)
{
    Full full;
    cached_time.sec -= 3600;
    assert_false(is_known(full.zone.cache, full.channel, tokens - 1));
    assert_true(remember(full.zone.cache, full.channel, tokens - 1));
    assert_true(is_known(full.zone.cache, full.channel, tokens - 1));
}

} // namespace

int main()
{
    // a list without an end
    alarm(100);
    const CMUnitTest tests[] = {
        cmocka_unit_test(known_and_forgotten),       cmocka_unit_test(killed_while_it_forgets),
        cmocka_unit_test(killed_while_it_remembers), cmocka_unit_test(killed_while_it_finds),
        cmocka_unit_test(clock_that_is_set_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
