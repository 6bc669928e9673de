use ApiToken;

workers(2);
master_on();
plan 'no_plan';

our $metrics = 'location = /metrics { api_token_metrics; }';
our $server  = "$metrics location = /in { auth_api_token r; proxy_pass http://behind/; }";

# each sample by its name and labels
sub samples {
    my $answer = ask('/metrics');
    die "metrics: $answer->{status}\n" if $answer->{status} != 200;
    return map { /^nginx_api_token_(\S+) (\S+)$/ ? ($1 => $2) : () } split /\n/, $answer->{content};
}

# what has grown since `samples`, without the time that Redis took
sub growth {
    my %before = @_;
    my %after = samples();
    $after{$_} -= $before{$_} // 0 for keys %after;
    return {map { $after{$_} && !/duration/ ? ($_ => $after{$_}) : () } keys %after};
}

sub reload {
    reload_nginx();
    until_heard();
}

run_tests();

__DATA__

=== TEST 1: what is done is what is counted, by two workers and over three reloads
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api('auth_api_token r') . $::server
--- steps eval
sub {
    until_heard();
    my %before = samples();
    my ($token, $details) = new_token();
    my ($other, $suspended) = new_token();
    for my $round (0 .. 3) {
        reload() if $round;
        new_token() for 1 .. 20;
        request(GET => "/$details->{id}") for 1 .. 10;
        request(GET => '') for 1 .. 10;
        request(GET => '?x=y') for 1 .. 5;
        ask_all('/in', ($token) x 1000);
        ask_all('/in', ('x', 'a.b.c') x 50);
        ask('/in') for 1 .. 10;
    }
    request(POST => "/$suspended->{id}/suspend");
    request(POST => "/$suspended->{id}/suspend");
    is(ask('/in', $other)->{status}, 401, 'suspended') for 1 .. 3;
    request(POST => "/$suspended->{id}/activate");
    request(POST => "/$suspended->{id}/revoke");
    request(DELETE => "/$suspended->{id}");
    request(PUT => '');
    post('{}');
    request(GET => '', undef, {Authorization => 'Bearer x'});
    my $growth = growth(%before);

    my %counted = (
        'requests_total{operation="create",status="200"}' => 82,
        'requests_total{operation="create",status="422"}' => 1,
        'requests_total{operation="retrieve",status="200"}' => 40,
        'requests_total{operation="list",status="200"}' => 40,
        'requests_total{operation="list",status="400"}' => 20,
        'requests_total{operation="list",status="401"}' => 1,
        'requests_total{operation="suspend",status="200"}' => 1,
        'requests_total{operation="suspend",status="409"}' => 1,
        'requests_total{operation="activate",status="200"}' => 1,
        'requests_total{operation="revoke",status="200"}' => 1,
        'requests_total{operation="delete",status="200"}' => 1,
        'requests_total{operation="none",status="405"}' => 1,
        'checks_total{result="allowed",reason=""}' => 4000,
        'checks_total{result="refused",reason="malformed"}' => 401,
        'checks_total{result="refused",reason="missing"}' => 40,
        'checks_total{result="refused",reason="suspended"}' => 3,
        'revocations_heard_total' => 4,
    );
    is_deeply({map { $_ => $growth->{$_} } grep { !/^(?:redis|cache)/ } keys %$growth}, \%counted, 'all of it');

    my ($hits, $misses) = @$growth{map { "cache_lookups_total{result=\"$_\"}" } qw(hit miss)};
    is($hits + $misses, 4404, 'each check of what may be a token is a look-up');
    cmp_ok($misses, '>=', 401, 'misses: those that are no token');
    cmp_ok($misses, '<=', 420, 'and few of the others');
    cmp_ok($growth->{'redis_commands_total{result="ok"}'}, '>=', 82 + 40 + 40 + 5, 'commands');
    is($growth->{'redis_commands_total{result="error"}'} // 0, 0, 'no error');
    my %now = samples();
    is($now{redis_connected}, 1, 'connected');
    is($now{listening}, 1, 'listening');
    cmp_ok($now{cache_entries}, '>=', 1, 'entries');
    is($now{redis_duration_seconds_count}, $now{'redis_duration_seconds_bucket{le="+Inf"}'}, 'histogram');
    my $commands = 0;
    $commands += $now{"redis_commands_total{result=\"$_\"}"} for qw(ok error timeout);
    is($now{redis_duration_seconds_count}, $commands, 'each command has its time');
    cmp_ok($now{redis_duration_seconds_sum} / $commands, '<', 1, 'which is less than a second');
    cmp_ok($now{redis_duration_seconds_sum}, '>', 0, 'and more than none');
}



=== TEST 2: Redis goes and comes back
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api('api_token_redis ' . redis_here('timeout=200ms')) . $::server
--- steps eval
sub {
    until_heard(4);
    my ($token) = new_token();
    eventually { my %now = samples(); $now{redis_connected} && $now{listening} };
    my %before = samples();
    signal_redis('STOP');
    is(post('{"token_scope":"account"}')->{status}, 503, 'create');
    my $growth = growth(%before);
    is($growth->{'redis_commands_total{result="timeout"}'}, 1, 'a timeout');
    is($growth->{'requests_total{operation="create",status="503"}'}, 1, 'the answer to it');
    eventually { !{samples()}->{listening} };
    is(ask('/in', $token)->{status}, 503, 'check');
    is(growth(%before)->{'checks_total{result="unavailable",reason="unavailable"}'}, 1, 'unavailable');
    signal_redis('KILL');
    eventually { !{samples()}->{redis_connected} };
    restart_redis();
    eventually { my %now = samples(); $now{redis_connected} && $now{listening} };
    cmp_ok(growth(%before)->{redis_reconnects_total}, '>=', 3, 'made again: connections and subscriptions');

    %before = samples();
    redis('SET', "api_token:{3nqk8n}:account:$account:inserted_at", 'x');
    is(post('{"token_scope":"account"}')->{status}, 500, 'another type');
    is(growth(%before)->{'redis_commands_total{result="error"}'}, 1, 'an error');
}
--- error_log
it does not answer in time
WRONGTYPE



=== TEST 3: a full cache
--- http_config eval: checks('api_token_cache zone=t:32k', 'api_token_last_used off')
--- config eval: api() . $::server
--- steps eval
sub {
    until_heard();
    my @tokens = map { (new_token())[0] } 1 .. 200;
    my %before = samples();
    ask_all('/in', @tokens);
    my %after = samples();
    my $grown = $after{cache_entries} - $before{cache_entries};
    cmp_ok($after{cache_entries}, '<', 200, 'not all have room');
    is($after{cache_evictions_total} - $before{cache_evictions_total}, 200 - $grown, 'as many had to leave');
    is($after{'cache_lookups_total{result="miss"}'} - $before{'cache_lookups_total{result="miss"}'}, 200, 'misses');
}



=== TEST 4: without a cache there is none to tell of; other methods; each family has its help and its type
--- http_config eval: checks()
--- config eval: api() . $::server
--- steps eval
sub {
    my $answer = ask('/metrics');
    is("$answer->{status} $answer->{headers}{'content-type'} $answer->{headers}{'cache-control'}",
        '200 text/plain; version=0.0.4; charset=utf-8 no-store', 'status and headers');
    my $page = $answer->{content};
    unlike($page, qr/cache|listening|revocations/, 'no cache');
    my %help = $page =~ /^# HELP (\S+) (.+)$/mg;
    my %type = $page =~ /^# TYPE (\S+) (.+)$/mg;
    is_deeply([sort keys %help], [sort keys %type], 'help and type');
    my %families = map { s/_(?:bucket|sum|count)$//r => 1 } $page =~ /^(nginx_api_token_\w+)/mg;
    is_deeply([grep { !$help{$_} } keys %families], [], 'of each');
    $answer = ask('POST /metrics');
    is_answer($answer, 405, error_body('bad_request', 'The method is not allowed here.'), 'POST');
    is($answer->{headers}{allow}, 'GET, HEAD', 'Allow');
}
