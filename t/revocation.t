use ApiToken;

use Time::HiRes ();

workers(2);
master_on();
plan 'no_plan';

our $cache = 'api_token_cache zone=t:1m';
our $place = 'location = /in { proxy_pass http://behind; auth_api_token r; }';

sub status { ask('/in', $_[0])->{status} }

# the answers of a second nginx, which shares nothing but Redis
sub ask_at {
    my ($port, $request) = @_;
    my $nginx = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "nginx: $!\n";
    print $nginx $request;
    local $/;
    return (answers(scalar <$nginx>))[0];
}

sub change_at {
    my ($port, $method, $path) = @_;
    return ask_at($port, "$method /api/v1/api_token/$path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

# asks until each of 20 answers in a row is this one; how long it took, or nothing after 3 s
sub time_until {
    my ($token, $status) = @_;
    my ($start, $same) = (Time::HiRes::time(), 0);
    while ($same < 20) {
        $same = status($token) == $status ? $same + 1 : 0;
        return if Time::HiRes::time() > $start + 3;
    }
    return Time::HiRes::time() - $start;
}

sub warm { my $token = shift; my @all = map { status($token) } 1 .. 10; return "@all" }

run_tests();

__DATA__

=== TEST 1: what one nginx changes, another knows at once
--- http_config eval: checks($::cache)
--- config eval: api() . $::place
--- steps eval
sub {
    my ($port) = start_nginx(checks($::cache) =~ s/behind\.sock/behind2.sock/gr
        . 'server { listen 127.0.0.1:PORT; ' . api() . ' }');
    my @late;
    for my $round (1 .. 20) {
        my ($token, $details) = new_token();
        is(warm($token), join(' ', (200) x 10), "round $round: in");
        for my $step (['POST', 'suspend', 401], ['POST', 'activate', 200], ['POST', 'revoke', 401], ['DELETE', '', 401]) {
            my ($method, $verb, $status) = @$step;
            my $path = join '/', $details->{id}, $verb || ();
            is(change_at($port, $method, $path)->{status}, 200, "round $round: $method $verb");
            my $answered = Time::HiRes::time();
            my $last = $answered;
            for (1 .. 20) { $last = Time::HiRes::time() if status($token) != $status }
            push @late, $last - $answered;
        }
    }
    cmp_ok((sort { $a <=> $b } @late)[-1], '<', 0.05, 'the last wrong answer within 50 ms');
    cmp_ok((sort { $a <=> $b } @late)[@late / 2], '<', 0.002, 'and within 2 ms at the median');
}



=== TEST 2: what changed while nobody listened is not believed
--- http_config eval: checks($::cache)
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    warm($token);
    redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    redis('HSET', "api_token:{3nqk8n}:token:$details->{id}", 'status', 'revoked');
    ok(defined time_until($token, 401), 'refused');
    ok(defined time_until((new_token())[0], 200), 'another passes');
    for (1 .. 40) {
        last if redis('PUBSUB', 'NUMSUB', 'api_token:changes') =~ /[12]$/;
        select undef, undef, undef, 0.05;
    }
    my ($later, $its) = new_token();
    warm($later);
    is(request(POST => "/$its->{id}/revoke", '')->{status}, 200, 'revoked');
    is(status($later), 401, 'heard again');
}
--- error_log
revocations are not heard



=== TEST 3: Redis is gone: nobody who is not known, and no 401 for who is; then it is back
--- http_config eval: checks($::cache)
--- config eval: api() . $::place . 'location = /stale { proxy_pass http://behind; auth_api_token r; }'
--- steps eval
sub {
    my ($token) = new_token();
    warm($token);
    redis('SAVE');
    signal_redis('KILL');
    ok(defined time_until($token, 503), 'not believed any more');
    my $answer = ask('/in', $token);
    is_answer($answer, 503, error_body('unexpected', 'The token store cannot be asked at the moment; try again.'), '503');
    is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
    is(status(substr($token, 0, -6) . 'AAAAAA'), 401, 'a forged token is refused all the same');
    restart_redis();
    my $took = time_until($token, 200);
    ok(defined $took, 'back');
    cmp_ok($took, '<', 2, 'within 2 s');
}
--- error_log
revocations are not heard
requests that need it are answered 503



=== TEST 4: Redis stands still: no answer later than the timeout
--- http_config eval: checks($::cache)
--- config eval: api('api_token_redis unix:' . $ENV{TEST_NGINX_REDIS} . ' timeout=200ms') . $::place
--- steps eval
sub {
    my ($token) = new_token();
    warm($token);
    signal_redis('STOP');
    my ($longest, %seen) = 0;
    my $end = Time::HiRes::time() + 3;
    while (Time::HiRes::time() < $end) {
        my $start = Time::HiRes::time();
        $seen{status($token)}++;
        my $took = Time::HiRes::time() - $start;
        $longest = $took if $took > $longest;
    }
    is(join(' ', sort keys %seen), '200 503', 'known, then not believed any more');
    cmp_ok($longest, '<', 1, 'no answer is late');
    my $start = Time::HiRes::time();
    is(post('{"token_scope":"account"}')->{status}, 503, 'a create');
    cmp_ok(Time::HiRes::time() - $start, '<', 0.5, 'in time');
    signal_redis('CONT');
    cmp_ok(time_until($token, 200) // 9, '<', 2, 'back within 2 s');
}
--- error_log
it does not answer in time



=== TEST 5: stale= lets pass who was known as active, and nobody else
--- http_config eval: checks('api_token_cache zone=t:1m valid=60s stale=60s')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token) = new_token();
    my ($unseen) = new_token();
    my ($revoked, $details) = new_token();
    warm($_) for $token, $revoked;
    request(POST => "/$details->{id}/revoke", '');
    warm($revoked);
    redis('SAVE');
    signal_redis('KILL');
    ok(defined time_until($unseen, 503), 'never seen');
    is(warm($token), join(' ', (200) x 10), 'known as active');
    isnt(status($revoked), 200, 'known as revoked');
    restart_redis();
    ok(defined time_until($unseen, 200), 'back');
}
--- error_log
revocations are not heard
requests that need it are answered 503
