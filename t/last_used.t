use ApiToken;

workers(2);
master_on();
plan 'no_plan';

our $place = 'location = /in { proxy_pass http://behind; auth_api_token r; }';

sub details { json(request(GET => "/$_[0]")->{content})->{details} }

sub wait_for (&) {
    my $test = shift;
    for (1 .. 80) {
        return 1 if $test->();
        select undef, undef, undef, 0.05;
    }
    return 0;
}

sub writes { redis('INFO', 'commandstats') =~ /^cmdstat_hset:calls=(\d+)/m ? $1 : 0 }

run_tests();

__DATA__

=== TEST 1: written back within twice the interval, not at each use, and nothing else moves
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used 1s')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $made) = new_token();
    is($made->{last_used_at}, undef, 'not used yet');
    select undef, undef, undef, 1.1;
    redis('CONFIG', 'RESETSTAT');
    is(ask('/in', $token)->{status}, 200, 'used') for 1 .. 50;
    ok(wait_for { defined details($made->{id})->{last_used_at} }, 'written');
    my $details = details($made->{id});
    like($details->{last_used_at}, qr/^$time$/, 'a time');
    is($details->{updated_at}, $made->{updated_at}, 'updated_at stays');
    cmp_ok(writes(), '<=', 2, 'not at each use');
    my $first = $details->{last_used_at};
    my $used_until = time + 2;
    while (time < $used_until) { ask('/in', $token); select undef, undef, undef, 0.05 }
    ok(wait_for { details($made->{id})->{last_used_at} gt $first }, 'written again');
}



=== TEST 2: it makes no record that is gone
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used 1s')
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $made) = new_token();
    my $key = "api_token:{3nqk8n}:token:$made->{id}";
    ask('/in', $token) for 1 .. 20;
    redis('DEL', $key);
    select undef, undef, undef, 2.5;
    is(redis('EXISTS', $key), 0, 'no record');
}



=== TEST 3: without a cache, and off
--- http_config eval: checks()
--- config eval
api() . $::place . 'location = /off { proxy_pass http://behind; auth_api_token r; api_token_last_used off; }'
--- steps eval
sub {
    my ($token, $made) = new_token();
    is(ask('/off', $token)->{status}, 200, 'in');
    select undef, undef, undef, 0.2;
    is(details($made->{id})->{last_used_at}, undef, 'off: not written');
    is(ask('/in', $token)->{status}, 200, 'in');
    ok(wait_for { defined details($made->{id})->{last_used_at} }, 'written');
}
