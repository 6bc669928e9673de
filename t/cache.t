use ApiToken;

workers(2);
master_on();
worker_connections(256);
no_root_location();
log_level('info');
plan 'no_plan';

our $place = 'location / { auth_api_token r; add_header X-Conf 1 always; proxy_pass http://behind; }' . "\n";

# with the store and the keys that stand above it
our $api = api() =~ s/^ *api_token_(?:redis|key) .*\n//mgr;

# how often each of these statuses is among the answers
sub statuses {
    my %count;
    $count{$_->{status}}++ for @_;
    return join ', ', map { "$count{$_} x $_" } sort keys %count;
}

# over connections of their own, so that both workers are asked
sub apart { my ($count, @request) = @_; statuses(map { ask('/', $request[0]) } 1 .. $count) }

sub master {
    open my $file, '<', Test::Nginx::Util::server_root() . '/logs/nginx.pid' or die "nginx.pid: $!\n";
    return int <$file>;
}

# new workers, with the configuration that comes of this change
sub reload {
    my $change = shift;
    my $path = Test::Nginx::Util::server_root() . '/conf/nginx.conf';
    open my $in, '<', $path or die "$path: $!\n";
    my $text = join '', <$in>;
    my ($number) = $text =~ /X-Conf (\d+)/;
    $number++;
    local $_ = $text =~ s/X-Conf \K\d+/$number/r;
    $change->();
    open my $out, '>', $path or die "$path: $!\n";
    print $out $_;
    close $out;
    kill HUP => master();
    eventually { 8 == grep { ask('/')->{headers}{'x-conf'} eq $number } 1 .. 8 };
}

# the same, and an old worker listens until the new ones do
sub reload_without_a_gap {
    my $held = connect_to_nginx();
    syswrite $held, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /";
    sysread $held, my $first, 1;
    reload($_[0]);
    until_heard(3);
    close $held;
    until_heard();
}

run_tests();

__DATA__

=== TEST 1: what is known is not asked again, by no worker
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token, $details) = new_token();
    redis_calls();
    is(ask('/', $token)->{status}, 200, 'first');
    my $calls = redis_calls();
    is($calls->{hmget}, 2, 'Redis is asked, and told of the use by a script that looks first');
    is(apart(100, $token), '100 x 200', 'a hundred more');
    is_deeply(redis_calls(), {}, 'Redis heard of none');
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    redis_calls();
    is(apart(20, $token), '20 x 401', 'revoked');
    is_deeply(redis_calls(), {hmget => 1}, 'which is asked once too');
    my $unknown = sign({sub => $account, jti => $details->{id} =~ s/.$/$& eq 'x' ? 'y' : 'x'/er, exp => time + 60, token_scope => 'account'});
    is(apart(20, $unknown), '20 x 401', 'unknown');
    is_deeply(redis_calls(), {hmget => 1}, 'and that');
}



=== TEST 2: without api_token_cache each check asks
--- http_config eval: checks('api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    redis_calls();
    is(apart(20, $token), '20 x 200', 'active');
    is_deeply(redis_calls(), {hmget => 20}, 'each is asked');
    redis('HSET', 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}", 'status', 'revoked');
    is(apart(1, $token), '1 x 401', 'and a change is seen by the next');
}



=== TEST 3: an entry counts for its time
--- http_config eval: checks('api_token_cache zone=t:1m valid=2s', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token, $details) = new_token();
    is(ask('/', $token)->{status}, 200, 'first');
    redis_calls();
    my $asked = eventually { ask('/', $token); redis_calls()->{hmget} };
    cmp_ok($asked, '>', 0.9, 'asked again not before its time');
    cmp_ok($asked, '<', 2.5, 'but after it');
}



=== TEST 4: it is kept over a reload, but only for the keys, issuer and audience that were looked at
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token) = new_token();
    is(ask('/', $token)->{status}, 200, 'first');
    reload_without_a_gap(sub { });
    redis_calls();
    is(apart(20, $token), '20 x 200', 'after a reload');
    is_deeply(redis_calls(), {}, 'Redis heard of none');

    my $second = write_key('second.jwk', test_key('hs512'));
    for (
        ['another key', sub { s/(auth_api_token r;)/$1 api_token_key $second;/ }, 401, {}],
        ['that key and the old one', sub { s/(auth_api_token r;)/$1 api_token_key $ENV{TEST_NGINX_KEYS}\/hs256.jwk;/ }, 200, {hmget => 1}],
        ['the old one alone', sub { s/(auth_api_token r;).*?(?=add_header)/$1 / }, 200, {}],
        ['an issuer', sub { s/(auth_api_token r;)/$1 api_token_issuer us;/ }, 401, {}],
        ['an audience', sub { s/api_token_issuer us/api_token_audience here/ }, 401, {}],
        ["admins' keys", sub { s/api_token_audience here/api_token_admin_key $second/ }, 200, {hmget => 1}],
        ['another prefix', sub { s/api_token_admin_key [^;]*/'api_token_redis ' . redis_here('prefix=x:')/e }, 401, {hmget => 1}],
        ['another size', sub { s/api_token_redis [^;]+ prefix=x:;//; s/zone=t:1m/zone=t:2m/ }, 200, {hmget => 1}],
    ) {
        my ($name, $change, $status, $calls) = @$_;
        reload_without_a_gap($change);
        redis_calls();
        is(apart(5, $token), "5 x $status", $name);
        is_deeply(redis_calls(), $calls, "$name: what Redis was asked");
    }
}



=== TEST 5: those who miss at once ask once for each worker
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token) = new_token();
    redis_calls();
    signal_redis('STOP');
    my @nginx = map { connect_to_nginx() } 1 .. 60;
    print $_ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer $token\r\n\r\n" for @nginx;
    $_->flush() for @nginx;
    Time::HiRes::sleep(0.1);
    signal_redis('CONT');
    is(statuses(map { local $/; answers(<$_>) } @nginx), '60 x 200', 'sixty');
    Time::HiRes::sleep(0.1);
    my $calls = redis_calls();
    my $writes = $calls->{evalsha} // 0;
    ok($writes == 1 || $writes == 2, 'writes of the use') or diag($writes);
    my $asked = $calls->{hmget} - $writes;
    ok($asked == 1 || $asked == 2, 'questions') or diag($asked);
}



=== TEST 6: the smallest zone, with far more tokens than it holds, revocations, forged ones, and a worker that is killed
--- http_config eval: checks('api_token_cache zone=t:32k', 'api_token_last_used off')
--- config eval: 'keepalive_requests 100000;' . $::api . $::place
--- steps eval
sub {
    until_heard();
    my $create = "POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 25\r\n";
    my @tokens;
    for (1 .. 10) {
        push @tokens, map { my $created = json($_->{content}); [$created->{token}, $created->{details}{id}, 200] }
            answers(talk("$create\r\n{\"token_scope\":\"account\"}" x 199, "${create}Connection: close\r\n\r\n{\"token_scope\":\"account\"}"));
    }
    is(scalar @tokens, 2000, 'tokens');
    srand(my $seed = time);
    my $wrong = 0;
    for my $round (1 .. 30) {
        for my $token (map { $tokens[rand @tokens] } 1 .. 5) {
            my $action = $token->[2] == 200 ? 'suspend' : 'activate';
            is(request(POST => "/$token->[1]/$action")->{status}, 200, $action);
            $token->[2] = $token->[2] == 200 ? 401 : 200;
        }
        my @some = map { $tokens[$_ % 3 ? rand @tokens : rand 20] } 1 .. 190;
        my @forged = map { [substr($_->[0], 0, -5) . 'AAAAA', 0, 401] } @some[0 .. 94];
        @some = map { $_ < 95 ? ($some[$_], $forged[$_]) : $some[$_] } 0 .. $#some;
        my @answers = ask_all('/', map { $_->[0] } @some);
        $wrong += grep { $answers[$_]{status} != $some[$_][2] } 0 .. $#some;
        if ($round == 15) {
            my ($worker) = `pgrep -P @{[master()]}` =~ /(\d+)/;
            kill KILL => $worker;
            until_heard();
        }
    }
    is($wrong, 0, "wrong answers, with seed $seed");
}
--- error_log
exited on signal 9



=== TEST 7: forged tokens take no room from true ones
--- http_config eval: checks('api_token_cache zone=t:32k', 'api_token_last_used off')
--- config eval: 'keepalive_requests 100000;' . $::api . $::place
--- steps eval
sub {
    until_heard();
    my @tokens = map { (new_token())[0] } 1 .. 20;
    ask_all('/', @tokens);
    redis_calls();
    is(statuses(ask_all('/', map { substr($tokens[0], 0, -5) . sprintf '%05d', $_ } 1 .. 3000)), '3000 x 401', 'forged');
    is(statuses(ask_all('/', @tokens)), '20 x 200', 'the true ones');
    is_deeply(redis_calls(), {}, 'are still known');
}



=== TEST 8: an answer that was under way when the token was revoked is not remembered
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($late, $in) = (0, 0);
    for (1 .. 20) {
        my ($token, $details) = new_token();
        my $key = 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}";
        signal_redis('STOP');
        my $nginx = connect_to_nginx();
        print $nginx "GET / HTTP/1.0\r\nAuthorization: Bearer $token\r\n\r\n";
        $nginx->flush();
        my $redis = IO::Socket::UNIX->new(Peer => $ENV{TEST_NGINX_REDIS}) // die "redis: $!\n";
        print $redis "HSET $key status revoked\r\nPUBLISH api_token:changes $details->{id}\r\n";
        $redis->flush();
        Time::HiRes::sleep(0.01);
        signal_redis('CONT');
        my $heard = <$redis> . <$redis>;
        $in++ if do { local $/; <$nginx> } =~ / 200 /;
        Time::HiRes::sleep(0.01);
        $late++ if ask('/', $token)->{status} != 401;
    }
    cmp_ok($in, '>', 0, 'some had their answer before the revocation');
    is($late, 0, 'which none remembered');
}



=== TEST 9: of two stores, only what is heard of is believed
--- http_config eval
redis('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '+@all', 'resetchannels');
my ($key, $password) = (write_key('hs256.jwk', test_key('hs256')), write_key('password', "secret\n"));
my $a = 'api_token_redis ' . redis_here('prefix=a:', 'user=deaf', "password_file=$password") . ';';
my $b = 'api_token_redis ' . redis_here('prefix=b:') . ';';
my $locations = "location /api/v1/api_token { api_token; api_token_caller account=$account; } location / { auth_api_token r; proxy_pass http://behind; }";
checks('api_token_cache zone=t:1m', 'api_token_last_used off') =~ s/api_token_redis.*\n//r
    . join '', map { "server { listen 127.0.0.1:$ENV{TEST_NGINX_PORT}; server_name $_->[0]; $_->[1] $locations }" } ['a', $a], ['b', $b]
--- config
--- steps eval
sub {
    eventually { redis('PUBSUB', 'NUMSUB', 'b:changes') =~ /\n2$/ };
    Time::HiRes::sleep(0.1);
    for (['a', {hmget => 10}], ['b', {}]) {
        my ($host, $calls) = @$_;
        my ($token) = new_token({}, {Host => $host});
        my %headers = (Host => $host, Authorization => "Bearer $token");
        is(ask('/', \%headers)->{status}, 200, "$host: first");
        redis_calls();
        is(statuses(map { ask('/', \%headers) } 1 .. 10), '10 x 200', "$host: ten more");
        is_deeply(redis_calls(), $calls, "$host: what Redis was asked");
    }
    redis('ACL', 'DELUSER', 'deaf');
}
--- error_log
revocations are not heard: NOPERM



=== TEST 10: whoever hears of revocations counts, however many workers of older configurations still do
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token) = new_token();
    my ($heard, @held) = 0;
    for (1 .. 20) {
        # requests that do not end keep a worker
        for (1 .. 8) {
            push @held, connect_to_nginx();
            syswrite $held[-1], "GET / HTTP/1.1\r\n";
        }
        Time::HiRes::sleep(0.02);
        reload(sub { });
        ($heard) = redis('PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n(\d+)$/;
        last if $heard >= 10;
    }
    cmp_ok($heard, '>=', 10, 'workers that listen');
    @held = ();
    until_heard();
    Time::HiRes::sleep(0.5);
    is(apart(5, $token), '5 x 200', 'once they are gone');
    redis_calls();
    is(apart(10, $token), '10 x 200', 'it is known');
    is_deeply(redis_calls(), {}, 'and Redis heard of none');
}



=== TEST 11: a refusal is remembered for 5 s at most, since nobody may tell of what was put right in Redis by hand
--- http_config eval: checks('api_token_cache zone=t:1m valid=1h', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token, $details) = new_token();
    my $key = "api_token:{3nqk8n}:token:$details->{id}";
    redis('HSET', $key, 'status', 'suspended');
    is(apart(5, $token), '5 x 401', 'suspended');
    redis('HSET', $key, 'status', 'active');
    is(apart(5, $token), '5 x 401', 'remembered');
    Time::HiRes::sleep(6);
    is(apart(5, $token), '5 x 200', 'asked again');
}



=== TEST 12: stores that have other names after a reload are cached at once
--- http_config eval
checks('api_token_cache zone=t:1m') . join '', map { "server { listen unix:$ENV{TEST_NGINX_KEYS}/$_.sock; api_token_redis @{[redis_here(qq(prefix=old$_:))]}; location / { auth_api_token r; } }\n" } 1 .. 7
--- config eval: $::api . $::place . 'location = /metrics { api_token_metrics; }'
--- steps eval
sub {
    for my $names (['old', 'new'], ['new', 'old']) {
        eventually { ask('/metrics')->{content} =~ /^nginx_api_token_listening 1$/m };
        reload(sub { s/prefix=$names->[0]/prefix=$names->[1]/g });
    }
    eventually { ask('/metrics')->{content} =~ /^nginx_api_token_listening 1$/m };
}
--- no_error_log
stores share the cache



=== TEST 13: a store too many goes without
--- http_config eval
checks('api_token_cache zone=t:1m') . join '', map { "server { listen unix:$ENV{TEST_NGINX_KEYS}/$_.sock; api_token_redis @{[redis_here(qq(prefix=some$_:))]}; location / { auth_api_token r; } }\n" } 1 .. 16
--- config eval: $::api . $::place . 'location = /metrics { api_token_metrics; }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    is(apart(10, $token), '10 x 200', 'asked for or known');
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    is(apart(10, $token), '10 x 401', 'revoked');
    like(ask('/metrics')->{content}, qr/^nginx_api_token_listening 0$/m, 'one is not listened to');
}
--- error_log
more than 16 stores share the cache, this one goes without
