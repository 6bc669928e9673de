use ApiToken;

master_on();
no_root_location();
log_level('info');
plan 'no_plan';

our $api = api() =~ s/^ *api_token_(?:redis|key) .*\n//mgr;
our $places = join '', map { "location $_->[0] { auth_api_token r; proxy_pass http://behind; $_->[1] }\n" }
    ['/', ''], ['/hour', 'api_token_last_used 1h;'], ['/off', 'api_token_last_used off;'], ['/limited', 'limit_req zone=z burst=1000 nodelay;'];
our $limit = 'limit_req_zone $api_token_id zone=z:64k rate=1000r/s;';

sub field { redis('HGET', 'api_token:{' . substr($_[0]{id}, 10, 6) . "}:token:$_[0]{id}", $_[1]) }
sub used { field($_[0], 'last_used_at') }

# a use of this token there, and the second before which it was not
sub use_it {
    my ($path, $token) = @_;
    my $second = time;
    is(ask($path, $token)->{status}, 200, "used at $path");
    return $second;
}

# a second that begins
sub next_second { my $now = time; eventually { time > $now } }

run_tests();

__DATA__

=== TEST 1: the last use is written within twice the interval, whichever use it was
--- http_config eval: $::limit . checks('api_token_cache zone=t:1m', 'api_token_last_used 1s')
--- config eval: $::api . $::places
--- steps eval
sub {
    until_heard(1);
    my @new = map { [new_token()] } 1 .. 5;
    my ($busy, $limited, $hour, $off, $gone) = map { $_->[1] } @new;
    my %token = map { $_->[1]{id} => $_->[0] } @new;
    is(used($busy), '', 'not used yet');
    my $start = time;
    use_it(@$_) for ['/', $token{$busy->{id}}], ['/limited', $token{$limited->{id}}], ['/hour', $token{$hour->{id}}], ['/off', $token{$off->{id}}], ['/', $token{$gone->{id}}];
    eventually { used($_) ne '' } for $busy, $limited, $hour, $gone;
    cmp_ok(used($_), '>=', $start, 'the first use is written at once') for $busy, $limited, $hour, $gone;
    my $first = used($hour);

    next_second();
    # what is written in an hour does not hold up what is written in a second
    use_it('/hour', $token{$hour->{id}});
    for my $pause (0, 0.7, 1.2) {
        Time::HiRes::sleep($pause);
        my @used = map { [$_->[0], use_it($_->[1], $token{$_->[0]{id}})] } [$busy, '/'], [$limited, '/limited'];
        if ($pause == 0) {
            use_it('/', $token{$gone->{id}});
            is(request(POST => "/$gone->{id}/revoke")->{status} . request(DELETE => "/$gone->{id}")->{status}, '200200', 'another is revoked and deleted');
        }
        for (@used) {
            my ($details, $second) = @$_;
            my $waited = eventually { used($details) >= $second };
            cmp_ok($waited, '<', 2.1, "written, after a pause of $pause");
        }
    }
    use_it('/off', $token{$off->{id}});
    is(used($off), '', 'off: not written');
    is(used($hour), $first, 'an hour: not written yet');
    is(redis('EXISTS', 'api_token:{' . substr($account, 10, 6) . "}:token:$gone->{id}"), 0, 'and no record is made of one that was deleted');

    my $answer = json(request(GET => "/$busy->{id}")->{content})->{details};
    is($answer->{updated_at}, $busy->{updated_at}, 'updated_at is as it was');
    like($answer->{last_used_at}, qr/^$::time$/, 'last_used_at in the API');
    cmp_ok($answer->{last_used_at}, 'gt', $busy->{inserted_at}, 'is later');
}



=== TEST 2: not more often than once in an interval
--- http_config eval: $::limit . checks('api_token_cache zone=t:1m valid=1s', 'api_token_last_used 2s')
--- config eval: $::api . $::places
--- steps eval
sub {
    until_heard(1);
    my ($token, $details) = new_token();
    my ($uses, $writes, $last, $start) = (0, -1, '', Time::HiRes::time());
    redis('SCRIPT', 'FLUSH');
    while (Time::HiRes::time() < $start + 4.2) {
        $uses++ if ask('/', $token)->{status} == 200;
        my $now = used($details);
        $writes++ if $now ne $last;
        $last = $now;
        Time::HiRes::sleep(0.01);
    }
    cmp_ok($uses, '>', 10, 'uses');
    cmp_ok($writes, '>=', 1, 'written, though the script was gone');
    cmp_ok($writes, '<=', 2, 'but not for every use');
    is(field($details, 'updated_at'), field($details, 'inserted_at'), 'updated_at is as it was');
}



=== TEST 3: without a cache
--- http_config eval: $::limit . checks('api_token_last_used 1s')
--- config eval: $::api . $::places
--- steps eval
sub {
    my ($token, $details) = new_token();
    my ($second) = new_token();
    next_second();
    redis_calls();
    is(ask('/', $token)->{status}, 200, 'used') for 1 .. 20;
    cmp_ok(redis_calls()->{hset} // 0, '<=', 2, 'written once, or twice where a second has begun');
    is(ask($_, $second)->{status}, 200, "$_: used") for ('/off') x 5;
    ok(!redis_calls()->{hset}, 'off: not written');
    next_second();
    my $used = use_it('/', $token);
    cmp_ok((eventually { used($details) >= $used }), '<', 2.1, 'written again');
}



=== TEST 4: tokens that the cache cannot hold are written once in an interval all the same
--- http_config eval: $::limit . checks('api_token_last_used 5s', 'api_token_cache zone=t:32k')
--- config eval: $::api . $::places
--- steps eval
sub {
    my @tokens = map { (new_token())[0] } 1 .. 150;
    until_heard(1);
    ask_all('/', @tokens);
    Time::HiRes::sleep(1.1);
    redis_calls();
    my ($start, $rounds) = (Time::HiRes::time(), 0);
    while (Time::HiRes::time() < $start + 6) {
        $rounds++;
        is((grep { $_->{status} != 200 } ask_all('/', @tokens)), 0, 'all pass');
        Time::HiRes::sleep(0.5);
    }
    my $calls = redis_calls();
    cmp_ok($calls->{hmget}, '>', 100 * $rounds, 'they are asked for');
    cmp_ok($calls->{evalsha}, '<=', 300, 'and written twice at most');
    cmp_ok($calls->{evalsha}, '>=', 150, 'but written');
}



=== TEST 5: to ask of a token is not to use it
--- http_config eval: $::limit . checks('api_token_last_used 3s', 'api_token_cache zone=t:1m')
--- config eval: $::api . $::places . 'location = /introspect { api_token_introspect; api_token_caller account=any; }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    until_heard(1);
    next_second();
    my $used = use_it('/', $token);
    eventually { used($details) };
    next_second();
    use_it('/', $token);
    my $until = time;
    next_second();
    my $form = {'Content-Type' => 'application/x-www-form-urlencoded', 'Content-Length' => 6 + length $token, Host => 'x', Connection => 'close'};
    my $head = join '', map { "$_: $form->{$_}\r\n" } keys %$form;
    like((answers(talk("POST /introspect HTTP/1.1\r\n$head\r\ntoken=$token")))[0]{content}, qr/"active":true/, 'introspection');
    eventually { used($details) > $used };
    Time::HiRes::sleep(4.1);
    cmp_ok(used($details), '<=', $until, 'the last use is the last');
}



=== TEST 6: a worker that ends writes all that waits
--- http_config eval: $::limit . checks('api_token_cache zone=t:1m', 'api_token_last_used 1h')
--- config eval: $::api . $::places
--- steps eval
sub {
    my @new = map { [new_token()] } 1 .. 400;
    until_heard(1);
    my $left = sub { my $since = shift; scalar grep { used($_->[1]) < $since } @new };
    is((grep { $_->{status} != 200 } ask_all('/', map { $_->[0] } @new)), 0, 'first uses');
    eventually { !$left->(1) };
    next_second();
    my $start = time;
    is((grep { $_->{status} != 200 } ask_all('/', map { $_->[0] } @new)), 0, 'uses that wait for an hour');
    is($left->($start), 400, 'not written yet');
    reload_nginx();
    is($left->($start), 0, 'written');
}
