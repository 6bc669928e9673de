use ApiToken;

workers(1);
master_on();
plan 'no_plan';

our $create = '{"token_scope":"account"}';

sub reload {
    open my $pid, '<', $Test::Nginx::Util::PidFile or die "$Test::Nginx::Util::PidFile: $!\n";
    kill HUP => <$pid> or die "kill: $!\n";
}

sub worker { post($create)->{headers}{'x-worker'} }

run_tests();

__DATA__

=== TEST 1: another key signs after a reload, and the first still verifies
--- config eval
write_key('changing', test_key('hs256'));
api("api_token_key $ENV{TEST_NGINX_KEYS}/changing", 'add_header X-Worker $pid always')
--- steps eval
sub {
    my ($worker, $header) = (worker(), jwt(post($::create)));
    is($header, '{"alg":"HS256","typ":"JWT"}', 'before');
    write_key('changing', '{"keys":[' . test_key('es256', {kid => 'new'}) . ',' . test_key('hs256') . ']}');
    is((jwt(post($::create)))[0], $header, 'the file alone changes nothing');
    reload();
    ok(eventually { !kill 0 => $worker }, 'the old worker goes');
    is((jwt(post($::create)))[0], '{"alg":"ES256","typ":"JWT","kid":"new"}', 'after');
}



=== TEST 2: a reload with a broken key leaves all as it was
--- config eval
write_key('broken', test_key('hs256'));
api("api_token_key $ENV{TEST_NGINX_KEYS}/broken", 'add_header X-Worker $pid always')
--- steps eval
sub {
    my $worker = worker();
    write_key('broken', 'x');
    reload();
    ok(eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; grep { /neither a JWK nor a PEM key/ } <$log> }, 'it is refused');
    is(worker(), $worker, 'the worker stays');
}
--- error_log
[emerg]



=== TEST 3: what is under way is answered, and then the old worker goes at once, whatever its timeouts
--- config eval
api('api_token_redis ' . redis_here('timeout=30s', 'connect_timeout=30s'), 'add_header X-Worker $pid always')
--- steps eval
sub {
    my $worker = worker();
    redis('CLIENT', 'PAUSE', 300, 'ALL');
    my $nginx = connect_to_nginx();
    syswrite $nginx, "POST /api/v1/api_token HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create";
    select undef, undef, undef, 0.05;
    reload();
    my ($answer) = answers(do { local $/; <$nginx> });
    close $nginx;
    is("$answer->{status} $answer->{headers}{'x-worker'}", "200 $worker", 'the old worker answers');
    ok(eventually { !kill 0 => $worker }, 'the old worker is gone');
    isnt(worker(), $worker, 'a new one is there');
}



=== TEST 4: a worker that ends writes the last uses that wait
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used 1h')
--- config eval
(api('add_header X-Worker $pid always') =~ s/^ *api_token_(?:redis|key) .*\n//mgr) . 'location = /in { auth_api_token r; proxy_pass http://behind; }'
--- steps eval
sub {
    until_heard(1);
    my ($token, $details) = new_token();
    my $key = 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}";
    is(ask('/in', $token)->{status}, 200, 'a use that is written at once');
    ok(eventually { redis('HGET', $key, 'last_used_at') ne '' }, 'written');
    my $first = redis('HGET', $key, 'last_used_at');
    Time::HiRes::sleep(1.1);
    is(ask('/in', $token)->{status}, 200, 'a use that waits for an hour');
    is(redis('HGET', $key, 'last_used_at'), $first, 'not written yet');
    my $worker = worker();
    reload();
    ok(eventually { !kill 0 => $worker }, 'the old worker goes');
    ok(eventually { redis('HGET', $key, 'last_used_at') > $first }, 'it has written it');
}
