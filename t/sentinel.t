use ApiToken;
use Servers;

workers(2);
master_on();
no_root_location();
log_level('info');
plan 'no_plan';


our ($one, $two, $nowhere, @sentinels) = server_ports(6);
our $create = '{"token_scope":"account"}';
our $folder = $ENV{TEST_NGINX_KEYS};

# a replica of the first, and three sentinels that know all of one another
sub start_all {
    stop_server($one, $two, @sentinels);
    start_server($one, "save ''");
    start_server($two, "save ''\nreplicaof 127.0.0.1 $one\nrepl-diskless-sync-delay 0");
    until_replicated($one);
    start_sentinel($_) for @sentinels;
    eventually { cli($sentinels[0], 'SENTINEL', 'CKQUORUM', 'store') =~ /^OK 3/ };
}

sub start_sentinel {
    my $port = shift;
    my $others = join '', map { "sentinel known-sentinel store 127.0.0.1 $_ " . 'a' x 35 . sprintf("%05d\n", $_) } grep { $_ != $port } @sentinels;
    start_server($port, "sentinel myid " . 'a' x 35 . sprintf("%05d\n", $port) . "sentinel monitor store 127.0.0.1 $one 2\n"
        . "sentinel down-after-milliseconds store 500\nsentinel failover-timeout store 2000\n"
        . "sentinel known-replica store 127.0.0.1 $two\n$others");
}

sub store (@) {
    my ($ports, @more) = @_;
    return "api_token_redis sentinel://" . join(',', map { "127.0.0.1:$_" } @$ports) . "/store @more";
}

# for http and server: a check with a cache, and the API
sub checked (@) { return checks(@_) =~ s/^api_token_redis .*\n//mr }
our $api = api('api_token_redis x', $named_worker) =~ s/^ *api_token_(?:redis|key) .*\n//mgr;
our $place = "location / { auth_api_token r; proxy_pass http://behind; }\n";

sub until_served { until_both_serve { post($create) } }
sub until_heard_at { my $port = shift; eventually { cli($port, 'PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n2$/ } }
sub until_master { my $port = shift; eventually { cli($port, 'ROLE') =~ /^master/ } }
sub record { "api_token:{3nqk8n}:token:$_[0]" }

# until the change of a token that another nginx made at that master is known
sub is_heard_from {
    my ($port, $name) = @_;
    until_heard_at($port);
    until_served();
    my ($token, $details) = new_token();
    is(ask('/', $token)->{status}, 200, "$name: active") for 1 .. 5;
    cli($port, 'HSET', record($details->{id}), 'status', 'revoked');
    is(ask('/', $token)->{status}, 200, "$name: a cache does not ask");
    cli($port, 'PUBLISH', 'api_token:changes', $details->{id});
    my $took = eventually { ask('/', $token)->{status} == 401 };
    cmp_ok($took, '<', 1, "$name: a change is heard");
}

# what is answered until Redis is back is 503, in time
sub until_back {
    my ($name, $token) = @_;
    my ($longest, %seen) = (0);
    my $took = eventually {
        my $sent = Time::HiRes::time();
        my $answer = post($create);
        my $time = Time::HiRes::time() - $sent;
        $longest = $time if $time > $longest;
        if ($answer->{status} != 200 && !$seen{$answer->{status}}++) {
            is_answer($answer, 503, $unavailable, "$name: while there is no master");
            is($answer->{headers}{'retry-after'}, 1, "$name: Retry-After");
        }
        $answer->{status} == 200;
    };
    until_served();
    cmp_ok($longest, '<', 3, "$name: each answer in time");
    return \%seen;
}

run_tests();

__DATA__

=== TEST 1: the master dies
--- http_config eval: main::checked(main::store([$main::nowhere, @main::sentinels]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    is_heard_from($::one, 'first');
    my ($token, $details) = new_token();
    is(ask('/', $token)->{status}, 200, 'known');
    eventually { cli($::two, 'EXISTS', record($details->{id})) eq '1' };

    stop_server($::one);
    my $seen = until_back('killed', $token);
    ok($seen->{503}, 'there was a time without a master');
    until_master($::two);
    is(ask('/', $token)->{status}, 200, 'the replica has the token') for 1 .. 5;
    is_heard_from($::two, 'second');
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoked at the new master');
    is(ask('/', $token)->{status}, 401, 'and so it is') for 1 .. 5;

    # it comes back as a replica, and becomes the master again while all are alive
    start_server($::one, "save ''\nreplicaof 127.0.0.1 $::two");
    until_replicated($::two);
    eventually { cli($::sentinels[0], 'SENTINEL', 'FAILOVER', 'store') eq 'OK' };
    until_master($::one);
    until_back('demoted', $token);
    is_heard_from($::one, 'first again');
    is(ask('/', $token)->{status}, 401, 'still revoked');
}
--- error_log eval
[qr/redis sentinel:\S+\/store \(127.0.0.1:$main::nowhere\) does not tell where Redis is: Connection refused; the next is asked/,
 qr/redis sentinel:\S+\/store \(127.0.0.1:$main::one\): connected/, qr/redis sentinel:\S+\/store \(127.0.0.1:$main::two\): connected/]



=== TEST 2: sentinels that are not in the URL are learned
--- http_config eval: main::checked(main::store([$main::sentinels[0]]))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    stop_server($::sentinels[0]);
    is(post($::create)->{status}, 200, 'a sentinel dies: the connections stay') for 1 .. 3;
    stop_server($::one);
    ok(until_back('killed')->{503}, 'and so does the master');
    until_master($::two);
}
--- error_log
does not tell where Redis is
: connected



=== TEST 3: a sentinel that is silent, and then no sentinel at all
--- http_config eval: main::checked(main::store([@main::sentinels]))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    signal_server($_, 'STOP') for @::sentinels;
    eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; local $/; <$log> =~ /it is silent/ };
    is(post($::create)->{status}, 200, 'nobody needs them');
    signal_server($_, 'CONT') for @::sentinels[1, 2];
    stop_server($::one);
    until_back('killed');
    until_master($::two);
    stop_server(@::sentinels);
    my ($token) = new_token();
    is(ask('/', $token)->{status}, 200, 'nobody needs a sentinel now') for 1 .. 5;
    cli($::two, 'CLIENT', 'KILL', 'TYPE', 'normal');
    is(post($::create)->{status}, 503, 'but now') for 1 .. 5;
    start_sentinel($_) for @::sentinels;
    until_served();
}
--- error_log
does not tell where Redis is: it is silent; the next is asked
nobody tells where Redis is; requests that need it are answered 503 until it is back



=== TEST 4: writes that wait for a replica, and a user, follow the master
--- http_config eval
write_key(password => "secret\n");
main::checked(main::store([@main::sentinels], 'wait=1', 'user=nginx', "password_file=$::folder/password"), 'api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    for ($::one, $::two) {
        cli($_, qw(ACL SETUSER nginx on >secret ~api_token:* &api_token:changes +evalsha +eval +role +wait +subscribe +ping
            +exists +get +hget +hmget +hset +set +expireat +publish +zadd +zcard +zcount +zrange +zrangebyscore +pttl +ttl +zrem));
    }
    until_served();
    until_heard_at($::one);
    my ($token, $details) = new_token();
    is(cli($::two, 'HGET', record($details->{id}), 'status'), 'active', 'the replica has it');
    eventually { ask('/', $token)->{status} == 200 };
    eventually { cli($::sentinels[0], 'SENTINEL', 'FAILOVER', 'store') eq 'OK' };
    until_master($::two);
    until_heard_at($::two);
    # sentinels would do this some seconds later
    cli($::one, 'REPLICAOF', '127.0.0.1', $::two);
    until_served();
    is(request(POST => "/$details->{id}/suspend")->{status}, 200, 'suspend');
    eventually { cli($::one, 'HGET', record($details->{id}), 'status') eq 'suspended' };
    is(ask('/', $token)->{status}, 401, 'suspended');
}



=== TEST 5: a name that no sentinel knows, and a sentinel that is no sentinel
--- http_config eval: main::checked(main::store([$::sentinels[0], $ENV{TEST_NGINX_REDIS_PORT}]) =~ s/store/other/r)
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    my $sent = Time::HiRes::time();
    is_answer(post($::create), 503, $::unavailable, 'no master') for 1 .. 3;
    cmp_ok(Time::HiRes::time() - $sent, '<', 4, 'in time');
    eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; local $/; <$log> =~ /No such master/ };
}
--- error_log
does not tell where Redis is: ERR No such master with that name
does not tell where Redis is: ERR unknown command
nobody tells where Redis is



=== TEST 6: what is no URL of sentinels
--- config
--- steps eval
sub {
    my %cases = (
        'sentinel://127.0.0.1'              => 'behind the slash stands the name',
        'sentinel://127.0.0.1/'             => 'behind the slash stands the name',
        'sentinel://127.0.0.1/store/1'      => 'behind the slash stands the name',
        'sentinel:///store'                 => 'no host',
        'sentinel://127.0.0.1,/store'       => 'no host',
        'sentinel://127.0.0.1:0/store'      => 'invalid port',
        'sentinel://no.such.host.invalid/s' => 'host not found',
        'sentinel://me@127.0.0.1/store'     => 'name the user by user=',
        'sentinel:/127.0.0.1/store'         => 'write redis://',
        'sentinel://' . join(',', map { "127.0.0.$_" } 1 .. 33) . '/s' => 'has more than 32 addresses',
    );
    for my $url (sort keys %cases) {
        like(mistake(test_nginx(http => "api_token_redis $url;")), qr/^api_token_redis: "\Q@{[$url =~ s{\/\/.*\@}{\/\/***@}r]}\E" \Q$cases{$url}\E.* in \S+:3$/, $url);
    }
    unlike(test_nginx(http => 'api_token_redis sentinel://127.0.0.1,[::1]:26380/store;'), qr/emerg/, 'two addresses');
}



=== TEST 7: the master becomes a replica, and no sentinel has noticed
--- http_config eval: main::checked(main::store([@main::sentinels]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    until_heard_at($::one);
    my ($token) = new_token();
    cli($::one, 'REPLICAOF', '127.0.0.1', $::two);
    is_answer(post($::create), 503, $::unavailable, 'a write') for 1 .. 20;
    eventually { ask('/', $token)->{status} == 503 };
    cli($::one, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; local $/; $_ = <$log>; /not heard: it is no master/ && /\): it is no master; requests/ };
    eventually { cli($::one, 'PUBSUB', 'NUMSUB', 'api_token:changes') eq "api_token:changes\n0" };
    cli($::one, 'REPLICAOF', 'NO', 'ONE');
    until_served();
    is_heard_from($::one, 'a master again');
}
--- error_log
it is no master any longer; requests that need it are answered 503 until it is back
it is no master; requests that need it are answered 503 until it is back



=== TEST 8: with passwords
--- http_config eval
write_key(password => "secret\n");
main::checked(main::store([@main::sentinels], "password_file=$ENV{TEST_NGINX_KEYS}/password"), 'api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    my @secret = qw(-a secret --no-auth-warning);
    cli($_, 'CONFIG', 'SET', 'masterauth', 'secret', 'requirepass', 'secret') for $::one, $::two;
    for my $sentinel (@::sentinels) {
        cli($sentinel, 'SENTINEL', 'SET', 'store', 'auth-pass', 'secret');
        # the first asks for none, and so refuses it
        my @own = $sentinel == $::sentinels[0] ? () : @secret;
        cli($sentinel, qw(ACL SETUSER default resetpass >secret)) if @own;
        cli($sentinel, @own, 'CLIENT', 'KILL', 'TYPE', 'normal');
    }
    like(cli($::sentinels[0], 'AUTH', 'secret'), qr/^ERR AUTH/, 'a password is refused here');
    like(cli($::sentinels[1], 'PING'), qr/NOAUTH/, 'and asked for here');
    cli($::one, @secret, 'CLIENT', 'KILL', 'TYPE', 'normal');
    until_served();
    for my $gone (@::sentinels[0, 1]) {
        stop_server($gone);
        cli($::one, @secret, 'CLIENT', 'KILL', 'TYPE', 'normal');
        cli($::one, @secret, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
        until_served();
        eventually { cli($::one, @secret, 'PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n2$/ };
    }
}
--- error_log
: connected



=== TEST 9: a master that was silent for so long that another may be in its place
--- http_config eval: main::checked(main::store([@main::sentinels]), 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    my ($token) = new_token();
    # idle for longer than sentinels wait
    Time::HiRes::sleep(1);
    is(post($::create)->{status}, 200, 'an idle one was not silent') for 1 .. 5;

    # so that there is none who could be made the master
    stop_server($::two);
    for my $is_idle (1, 0) {
        signal_server($::one, 'STOP');
        my $paused = Time::HiRes::time();
        if ($is_idle) {
            # signs of life are still waited for
            Time::HiRes::sleep(0.55);
        } else {
            ask('/', $token) until Time::HiRes::time() > $paused + 1;
        }
        signal_server($::one, 'CONT');
        my $answered = Time::HiRes::time();
        is(cli($::one, 'PING'), 'PONG', 'it goes on');
        is_answer(post($::create), 503, $::unavailable, 'a write');
        is(ask('/', $token)->{status}, 503, 'a check');
        my $took = eventually { ask('/', $token)->{status} == 200 };
        cmp_ok(Time::HiRes::time() - $answered, '>', 1.5, "it is believed later, though sentinels name it: $took s");
        until_served();
    }
}
--- error_log
another may have been made the master while it was silent
