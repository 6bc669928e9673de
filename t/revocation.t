use ApiToken;
use Servers;

workers(2);
master_on();
no_root_location();
log_level('info');
plan 'no_plan';


our $api   = api($named_worker) =~ s/^ *api_token_(?:redis|key) .*\n//mgr;
our $place = "location / { auth_api_token r; proxy_pass http://behind; }\n";

# a second nginx over the same Redis; answers its port, and a function that ends it
sub second {
    my ($port, $pid) = start_nginx(checks(@_) =~ s/^server .*\n//mr . "server { listen 127.0.0.1:PORT; $::api $::place }");
    until_heard(4);
    return ($port, sub { kill QUIT => $pid; waitpid $pid, 0 });
}

sub at {
    my ($port, $request, @with) = @_;
    local $Test::Nginx::Util::ServerPortForClient = $port if $port;
    return ref $request ? $request->() : ask($request, $with[0]);
}

sub act {
    my ($port, $id, $action) = @_;
    my $answer = at($port, sub { $action eq 'delete' ? request(DELETE => "/$id") : request(POST => "/$id/$action") });
    die "$action: $answer->{status} $answer->{content}" if $answer->{status} != 200;
}

sub record { 'api_token:{' . substr($_[0], 10, 6) . "}:token:$_[0]" }

# for how long a token was still answered with this status
sub lasts {
    my ($port, $token, $status) = @_;
    my ($start, $last, $other) = (Time::HiRes::time(), 0, 0);
    while ($other < 10) {
        my $sent = Time::HiRes::time();
        at($port, '/', $token)->{status} == $status ? ($last, $other) = ($sent - $start, 0) : $other++;
        die "$status for two seconds\n" if $last > 2;
    }
    return $last;
}

sub seconds { my ($min, $max, $seconds, $name) = @_; ok($seconds >= $min && $seconds < $max, "$name: $min to $max s") or diag($seconds) }

our ($one, $two) = server_ports(2);
our $moved = "$ENV{TEST_NGINX_KEYS}/moved.sock";

# from now on that Redis is the one at the URL
sub move_to {
    my $port = shift;
    unlink $moved;
    symlink "$moved.$port", $moved or die "$moved: $!\n";
}
sub hears { my $port = shift; eventually { cli($port, 'PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n2$/ } }

run_tests();

__DATA__

=== TEST 1: what one nginx does to a token is known at another at once
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($second, $end) = second('api_token_cache zone=t:1m');
    my $longest = 0;
    for my $try (1 .. 20) {
        my ($here, $there) = $try % 2 ? (0, $second) : ($second, 0);
        my ($token, $details) = new_token();
        is(at($there, '/', $token)->{status}, 200, 'active') for 1 .. 3;
        for (['suspend', 200], ['activate', 401], ['revoke', 200], ['delete', undef]) {
            my ($action, $before) = @$_;
            act($here, $details->{id}, $action);
            my $last = lasts($there, $token, $before // 0);
            $longest = $last if $last > $longest;
        }
        is(at($there, '/', $token)->{status}, 401, 'deleted');
    }
    seconds(0, 0.5, $longest, 'the longest time that a change was not seen');
    my ($token, $details) = new_token();
    is(at($second, '/', $token)->{status}, 200, 'active');
    act(0, $details->{id}, 'suspend');
    is(lasts(0, $token, 200), 0, 'where it was done it is known with the answer');
    $end->();
}



=== TEST 2: revocations that nobody could hear
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token, $details) = new_token();
    for my $try (1 .. 10) {
        is(ask('/', $token)->{status}, 200, 'known') for 1 .. 3;
        redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
        redis('HSET', record($details->{id}), 'status', 'suspended');
        seconds(0, 0.5, lasts(0, $token, 200), 'the cut connection is noticed');
        seconds(0, 2, (eventually { redis('PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n2$/ }), 'and made again') if $try % 3 == 1;
        is(ask('/', $token)->{status}, 401, 'suspended') for 1 .. 3;
        redis('HSET', record($details->{id}), 'status', 'active');
        redis('PUBLISH', 'api_token:changes', $details->{id}) if $try % 3 == 1;
        redis('CLIENT', 'KILL', 'TYPE', 'pubsub') if $try % 3 != 1;
        seconds(0, 0.5, lasts(0, $token, 401), 'active again');
    }
    until_heard();
    is(ask('/', $token)->{status}, 200, 'known') for 1 .. 3;
    redis_calls();
    is(ask('/', $token)->{status}, 200, 'and remembered again');
    is_deeply(redis_calls(), {}, 'Redis is not asked');
}
--- error_log
revocations are not heard: Server closed the connection; tokens are asked for at each check until they are



=== TEST 3: Redis dies and comes back
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token) = new_token();
    my ($second, $end) = second('api_token_cache zone=t:1m stale=60s', 'api_token_last_used off');
    my ($revoked, $details) = new_token();
    my ($never) = new_token();
    is(at($_, '/', $token)->{status}, 200, 'known') for 0, $second;
    act(0, $details->{id}, 'revoke');
    is(at($_, '/', $revoked)->{status}, 401, 'revoked') for 0, $second;
    redis('SAVE');
    signal_redis('KILL');

    my $start = Time::HiRes::time();
    eventually { at(0, '/', $token)->{status} == 503 };
    seconds(0, 1, Time::HiRes::time() - $start, 'noticed');
    for my $with ($token, $never, $revoked) {
        my $sent = Time::HiRes::time();
        my $answer = at(0, '/', $with);
        seconds(0, 1.5, Time::HiRes::time() - $sent, 'answered');
        is_answer($answer, 503, $::unavailable, 'no Redis');
        is($answer->{headers}{'retry-after'} . ' ' . ($answer->{headers}{'www-authenticate'} // '-'), '1 -', 'Retry-After, and no challenge');
    }
    is(at(0, '/', 'x')->{status}, 401, 'which a bad token does not need');
    for (1 .. 3) {
        is(at($second, '/', $token)->{status}, 200, 'stale: a token known as active passes');
        is(at($second, '/', $never)->{status}, 503, 'one that is not known does not');
        is(at($second, '/', $revoked)->{status}, 503, 'nor does one that is known as revoked');
    }

    restart_redis();
    my $back = Time::HiRes::time();
    for my $port (0, $second) {
        eventually { at($port, '/', $token)->{status} == 200 && at($port, '/', $revoked)->{status} == 401 && at($port, '/', $never)->{status} == 200 };
        seconds(0, 2, Time::HiRes::time() - $back, 'right again');
    }
    until_heard(4);
    seconds(0, 2, Time::HiRes::time() - $back, 'heard again');
    $end->();
}
--- error_log
requests that need it are answered 503 until it is back



=== TEST 4: Redis is silent
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($second, $end) = second('api_token_cache zone=t:1m stale=60s', 'api_token_last_used off');
    my ($token) = new_token();
    my ($never) = new_token();
    is(at($_, '/', $token)->{status}, 200, 'known') for 0, $second;
    signal_redis('STOP');
    my $sent = Time::HiRes::time();
    is_answer(at(0, '/', $never), 503, $::unavailable, 'not known');
    seconds(0.4, 1.5, Time::HiRes::time() - $sent, 'answered after the timeout');
    my $silent = eventually { my $at = Time::HiRes::time(); at(0, '/', $token)->{status} == 503 && ($sent = $at) };
    seconds(0, 3, $silent, 'a known one is not believed for long');
    is(at($second, '/', $token)->{status}, 200, 'stale: but there it passes');
    is(at($second, '/', $never)->{status}, 503, 'and only it');
    signal_redis('CONT');
    my $back = Time::HiRes::time();
    for my $port (0, $second) {
        eventually { at($port, '/', $token)->{status} == 200 && at($port, '/', $never)->{status} == 200 };
        seconds(0, 2, Time::HiRes::time() - $back, 'right again');
    }
    $end->();
}
--- error_log
requests that need it are answered 503 until it is back
it is silent



=== TEST 5: stale ends
--- http_config eval: checks('api_token_cache zone=t:1m valid=1s stale=1s', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    until_heard();
    my ($token) = new_token();
    is(ask('/', $token)->{status}, 200, 'known');
    my $asked = Time::HiRes::time();
    redis('SAVE');
    signal_redis('KILL');
    eventually { ask('/', $token)->{status} == 503 };
    seconds(0.9, 5, Time::HiRes::time() - $asked, 'valid and stale');
    restart_redis();
    eventually { ask('/', $token)->{status} == 200 };
}
--- error_log
requests that need it are answered 503 until it is back



=== TEST 6: a configuration that took seconds to read is no silence of Redis
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    my $slow = "$ENV{TEST_NGINX_KEYS}/slow";
    POSIX::mkfifo($slow, 0600) or die "$slow: $!\n";
    system "(sleep 1.5; : >'$slow') &";
    my $file = "$ENV{TEST_NGINX_KEYS}/../nginx/logs/error.log";
    unlink $file;
    my (undef, $end) = second('api_token_cache zone=t:1m', "include $slow");
    open my $log, '<', $file or die "error.log: $!\n";
    my @told = grep { /revocations are not heard/ } <$log>;
    is_deeply(\@told, [], 'it is heard from the start');
    $end->();
}



=== TEST 7: another Redis at the same URL is not the one that was heard
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off') =~ s/^api_token_redis .*/api_token_redis unix:$main::moved;/mr
--- config eval: $::api . $::place
--- steps eval
sub {
    start_server($::one, "save ''\nunixsocket $::moved.$::one");
    start_server($::two, "save ''\nunixsocket $::moved.$::two\nreplicaof 127.0.0.1 $::one\nrepl-diskless-sync-delay 0");
    until_replicated($::one);
    move_to($::one);
    until_both_serve { post('{"token_scope":"account"}') };
    hears($::one);
    my ($token, $details) = new_token();
    until_replicated($::one);
    cli($::two, 'REPLICAOF', 'NO', 'ONE');
    is(ask('/', $token)->{status}, 200, 'known') for 1 .. 5;

    move_to($::two);
    cli($::two, 'HSET', record($details->{id}), 'status', 'suspended');
    is(ask('/', $token)->{status}, 200, 'the first is believed') for 1 .. 5;
    reload_nginx();
    until_both_serve { post('{"token_scope":"account"}') };
    hears($::two);
    is(ask('/', $token)->{status}, 401, 'and the second after a reload') for 1 .. 5;
    cli($::two, 'HSET', record($details->{id}), 'status', 'active');
    cli($::two, 'PUBLISH', 'api_token:changes', $details->{id});
    eventually { ask('/', $token)->{status} == 200 };
    is(ask('/', $token)->{status}, 200, 'known') for 1 .. 5;

    move_to($::one);
    cli($::two, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    hears($::one);
    is(ask('/', $token)->{status}, 200, 'the second is asked, and the first heard') for 1 .. 5;
    cli($::two, 'HSET', record($details->{id}), 'status', 'suspended');
    is(ask('/', $token)->{status}, 401, 'so nothing is believed') for 1 .. 5;
    stop_server($::one, $::two);
}
--- error_log
Server closed the connection



=== TEST 8: a loss that comes again and again is told once
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_last_used off') =~ s/^api_token_redis .*/api_token_redis unix:$main::moved;/mr
--- config eval: $::api . $::place
--- steps eval
sub {
    start_server($::one, "save ''\nunixsocket $::moved.$::one");
    move_to($::one);
    hears($::one);
    cli($::one, 'ACL', 'SETUSER', 'default', '-ping');
    my $told = sub { open my $log, '<', $Test::Nginx::Util::ErrLogFile; grep { /\[$_[0]\] .*revocations are not heard: NOPERM/ } <$log> };
    eventually { $told->('info') > 10 };
    is(scalar($told->('error')), 2, 'by each worker');
    cli($::one, 'ACL', 'SETUSER', 'default', '+ping');
    hears($::one);
    stop_server($::one);
}
