use ApiToken;

workers(2);
master_on();
plan 'no_plan';

our $place = 'location = /in { proxy_pass http://behind; auth_api_token r; }';

sub status { ask('/in', $_[0])->{status} }

sub in {
    my ($token, $count) = @_;
    my %seen;
    $seen{status($token)}++ for 1 .. $count;
    return join ' ', map { "$_:$seen{$_}" } sort keys %seen;
}

sub reload {
    open my $pid, '<', $Test::Nginx::Util::PidFile or die "$Test::Nginx::Util::PidFile: $!\n";
    my ($before) = ask('/pid')->{headers}{'x-worker'};
    kill HUP => <$pid> or die "kill: $!\n";
    for (1 .. 100) {
        my %workers = map { (ask('/pid')->{headers}{'x-worker'} => 1) } 1 .. 6;
        return if !$workers{$before} && keys %workers;
        select undef, undef, undef, 0.02;
    }
    die "no reload\n";
}

our $pid_place = 'location = /pid { add_header X-Worker $pid; return 204; }';

run_tests();

__DATA__

=== TEST 1: a known token asks Redis for nothing, also after a reload
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api() . $::place . $::pid_place
--- steps eval
sub {
    my ($token) = new_token();
    is(in($token, 20), '200:20', 'known');
    redis_calls();
    is(in($token, 100), '200:100', 'in');
    is_deeply(redis_calls(), {}, 'no command');
    reload();
    is(in($token, 20), '200:20', 'in after a reload');
    is((redis_calls()->{hmget} // 0) <= 1, 1, 'asked once at most');
}



=== TEST 2: a refused token is known, too, and another one is asked for once
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    request(POST => "/$details->{id}/suspend", '');
    redis_calls();
    is(in($token, 50), '401:50', 'suspended');
    cmp_ok(redis_calls()->{hmget}, '<=', 2, 'asked at most once a worker');
    is(in(substr($token, 0, -6) . 'AAAAAA', 50), '401:50', 'forged');
    is_deeply(redis_calls(), {}, 'a forged one is not asked for');
}



=== TEST 3: valid= asks again
--- http_config eval: checks('api_token_cache zone=t:1m valid=1s', 'api_token_last_used off')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    is(in($token, 10), '200:10', 'known');
    redis('HSET', "api_token:{3nqk8n}:token:$details->{id}", 'status', 'revoked');
    select undef, undef, undef, 2.1;
    is(in($token, 10), '401:10', 'asked again');
}



=== TEST 4: without a cache each check asks
--- http_config eval: checks('api_token_last_used off')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token();
    redis_calls();
    is(in($token, 20), '200:20', 'in');
    is(redis_calls()->{hmget}, 20, '20 questions');
    redis('HSET', "api_token:{3nqk8n}:token:$details->{id}", 'status', 'revoked');
    is(in($token, 5), '401:5', 'revoked');
}



=== TEST 5: at the same time, one question
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token) = new_token();
    redis_calls();
    signal_redis('STOP');
    my @waiting = map { connect_to_nginx() } 1 .. 20;
    print $_ "GET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer $token\r\n\r\n" for @waiting;
    select undef, undef, undef, 0.1;
    signal_redis('CONT');
    local $/;
    my %seen;
    $seen{(answers(scalar <$_>))[0]{status}}++ for @waiting;
    is_deeply(\%seen, {200 => 20}, 'all in');
    cmp_ok(redis_calls()->{hmget}, '<=', 2, 'asked at most once a worker');
}



=== TEST 6: memory for 150 tokens, and thousands of them, forged ones among them
--- http_config eval: checks('api_token_cache zone=t:64k', 'api_token_last_used off')
--- config eval: api() . $::place
--- steps eval
sub {
    my @tokens = map { [new_token()] } 1 .. 600;
    my %wrong;
    for my $round (1, 2) {
        for my $i (0 .. $#tokens) {
            my ($token, $details) = @{$tokens[$i]};
            my $is_revoked = $details->{revoked};
            $wrong{active}++ if !$is_revoked && status($token) != 200;
            $wrong{revoked}++ if $is_revoked && status($token) != 401;
            $wrong{forged}++ if status(substr($token, 0, -6) . 'AAAAAA') != 401;
            next if $i % 10 || $is_revoked;
            $wrong{revoke}++ if request(POST => "/$details->{id}/revoke", '')->{status} != 200;
            $wrong{late}++ if status($token) != 401;
            $details->{revoked} = 1;
        }
    }
    is_deeply(\%wrong, {}, 'never wrong');
}
