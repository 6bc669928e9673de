use ApiToken;
use Servers;
use IO::Socket::UNIX;

plan 'no_plan';

our $fault       = error_body('unexpected', 'Something went wrong on the server.');
our $create      = '{"token_scope":"account"}';
our $tcp         = "127.0.0.1:$ENV{TEST_NGINX_REDIS_PORT}";
our $partition   = substr $account, 10, 6;
our ($single)    = server_ports(1);    # where a cluster cannot be what it is

sub is_unavailable {
    my ($answer, $name) = @_;
    is_answer($answer, 503, $unavailable, $name);
    is($answer->{headers}{'retry-after'}, 1, "$name: Retry-After");
}

# until Redis is there again, or anything else holds
sub details { json($_[0]{content})->{details} }

sub nginx_log {
    open my $in, '<', $Test::Nginx::Util::ErrLogFile or die "error.log: $!\n";
    local $/;
    return scalar <$in>;
}

# a Redis whose answer to a script the prefix of its keys chooses; answers its process
sub false_redis {
    my ($path, @replies) = @_;
    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 64) // die "$path: $!\n";
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;
    while (my $client = $listener->accept) {
        next if fork();
        my $seen = '';
        while (sysread $client, $seen, 65536, length $seen) {
            next if $seen !~ /case(\d+):.*\r\n/s;
            my $reply = $replies[$1];
            POSIX::_exit(0) if !defined $reply;
            syswrite $client, $reply;
            $seen = '';
        }
        POSIX::_exit(0);
    }
    POSIX::_exit(0);
}

run_tests();

__DATA__

=== TEST 1: over TCP, by address and by name, and over a unix socket
--- config eval
my @urls = ("redis://$::tcp", "redis://localhost:$ENV{TEST_NGINX_REDIS_PORT}", "redis://$::tcp/", "redis://$::tcp/0", "unix:$ENV{TEST_NGINX_REDIS}");
join '', map { api("api_token_redis $urls[$_]") =~ s{location \S+}{location /$_/api_token}r } 0 .. $#urls
--- request eval
[map { "POST /$_/api_token\n$::create" } 0 .. 4]
--- more_headers
Content-Type: application/json
--- error_code eval: [(200) x 5]



=== TEST 2: a database by its number, and a prefix
--- config eval
api("api_token_redis redis://127.0.0.1:$::single/3 prefix=other/")
--- steps eval
sub {
    start_server($::single, "save ''");
    my $id;
    eventually { my $answer = post($::create); $id = $answer->{status} == 200 && details($answer)->{id} };
    is(cli($::single, '-n', 3, 'EXISTS', "other/{$::partition}:token:$id"), 1, 'the record');
    is(cli($::single, 'DBSIZE'), 0, 'nothing in database 0');
    is((grep { !/^other\/\{$::partition\}:/ } split /\n/, cli($::single, '-n', 3, 'KEYS', '*')), 0, 'all keys have prefix and hash tag');
    stop_server($::single);
}



=== TEST 3: a database that is not there
--- config eval
api("api_token_redis redis://$::tcp/99")
--- steps eval
sub { is_unavailable(post($::create), 'create') }
--- error_log eval
qr/redis redis:\S+\/99: SELECT was refused with ERR: check the number of the database/



=== TEST 4: what is in Redis, and for how long
--- config eval
api('api_token_retention 2d', "api_token_caller account=$account admin_user=$admin_user")
--- steps eval
sub {
    redis('FLUSHALL');
    my $details = details(post(qq({"token_scope":"environment","environment_id":"$environment","expires_at":"2030-01-01T00:00:00Z"})));
    my $record = "api_token:{$::partition}:token:$details->{id}";
    my %record = split /\n/, redis('HGETALL', $record);
    my $now = delete $record{inserted_at};
    cmp_ok(abs($now - time), '<', 5, 'inserted_at');
    is_deeply(\%record, {account_id => $account, environment_id => $environment, created_by_admin_user_id => $admin_user,
        token_scope => 'environment', status => 'active', updated_at => $now, expires_at => 1893456000}, 'the record');
    is(redis('EXPIRETIME', $record), 1893456000 + 2 * 86400, 'which goes with expires_at and retention');
    my %order = (inserted_at => $now, expires_at => 1893456000);
    is(redis('ZRANGE', "api_token:{$::partition}:account:$account:$_", 0, -1, 'WITHSCORES'), "$details->{id}\n$order{$_}", "order $_")
        for sort keys %order;
    is(redis('DBSIZE'), 3, 'and nothing else');
}



=== TEST 5: an account's orders lose what Redis has dropped, and keep what it has not
--- config eval
api('api_token_ttl 1s', 'api_token_retention 1s')
    . api('api_token_ttl 1s', 'api_token_retention 1h') =~ s{location \S+}{location /long/api_token}r
--- steps eval
sub {
    redis('FLUSHALL');
    my $orders = sub { map { join ' ', sort split /\n/, redis('ZRANGE', "api_token:{$::partition}:account:$account:$_", 0, -1) } qw(inserted_at expires_at) };
    my $make = sub { talk("POST $_[0] HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create") =~ /"id":"($pfid)"/ && $1 };
    my @short = map { $make->('/api/v1/api_token') } 1 .. 3;
    my @kept  = sort map { $make->('/long/api_token') } 1 .. 2;
    is(($orders->())[0], join(' ', sort @short, @kept), 'before');
    ok(eventually { redis('KEYS', '*:token:*') !~ /$short[0]|$short[1]|$short[2]/ }, 'Redis drops records');
    my $new = $make->('/long/api_token');
    is_deeply([$orders->()], [(join ' ', sort @kept, $new) x 2], 'after the next create');
}



=== TEST 6: no secret is sent to Redis or written to a log
--- config eval: api()
--- steps eval
sub {
    my $monitor = IO::Socket::UNIX->new(Peer => $ENV{TEST_NGINX_REDIS});
    print $monitor "MONITOR\r\n";
    is(scalar <$monitor>, "+OK\r\n", 'monitor');
    my $answer = post($::create, {'Idempotency-Key' => 'the key itself'});
    my ($signed, $signature) = json($answer->{content})->{token} =~ /^(.*)\.([\w-]+)$/;
    my $id = details($answer)->{id};
    redis('PING', 'end of it');
    my $sent = '';
    $sent .= <$monitor> until $sent =~ /end of it/;
    my $secret = json(test_key('hs256'))->{k};
    my $logs = join '', map { open my $log, '<', $_ or die "$_: $!\n"; local $/; <$log> } $Test::Nginx::Util::ErrLogFile, $Test::Nginx::Util::AccLogFile;
    like($sent, qr/$id/, 'the monitor has seen the create');
    like($logs, qr/POST \/api\/v1\/api_token/, 'the logs too');
    for my $text ($sent, $logs) {
        unlike($text, qr/\Q$_\E/, substr $_, 0, 8) for $signature, $signed, $secret, b64url_decode($secret);
    }
    unlike($sent, qr/the key itself/, 'nor is the idempotency key');
}



=== TEST 7: Redis is away: 503, at once, and nginx starts all the same
--- config eval
my @urls = ("unix:/nonexistent/redis.sock", 'redis://127.0.0.1:1');
join '', map { api("api_token_redis $urls[$_] timeout=10s") =~ s{location \S+}{location /$_}r } 0 .. $#urls
--- steps eval
sub {
    my $start = Time::HiRes::time();
    for my $at (0, 1) {
        my ($answer) = answers(talk("POST /$at HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            . "Content-Length: 25\r\n\r\n$::create"));
        is_unavailable($answer, "location $at");
    }
    cmp_ok(Time::HiRes::time() - $start, '<', 5, 'within a moment');
}
--- error_log eval
[qr/redis unix:\/nonexistent\/redis.sock: No such file or directory; requests that need it are answered 503 until it is back/,
 qr/redis redis:\/\/127.0.0.1:1: Connection refused; requests that need it are answered 503 until it is back/]



=== TEST 8: Redis goes and comes back
--- config eval
api("api_token_redis unix:$ENV{TEST_NGINX_KEYS}/second.sock")
--- steps eval
sub {
    my $socket = "$ENV{TEST_NGINX_KEYS}/second.sock";
    is_unavailable(post($::create), 'before it is there');
    for my $round (1, 2) {
        my $redis = ApiToken::start_redis($socket, 0);
        ok(eventually { post($::create)->{status} == 200 }, "round $round: it is there");
        is(post($::create)->{status}, 200, "round $round: and stays");
        kill KILL => $redis;
        waitpid $redis, 0;
        is_unavailable(post($::create), "round $round: it is gone");
        unlink $socket;
    }
}
--- error_log
: connected



=== TEST 9: a password, of the default user and of another
--- config eval
my $keys = $ENV{TEST_NGINX_KEYS};
write_key(password => "se cret\n");
write_key(app      => "app secret\r\nsecond line\n");
write_key(wrong    => "not the secret");
join '', map { api('api_token_redis ' . redis_here("prefix=$_->[0]:", $_->[1])) =~ s{location \S+}{location /$_->[0]}r }
    [none => ''], [default => "password_file=$keys/password"], [app => "user=app password_file=$keys/app"],
    [wrong => "password_file=$keys/wrong"], [stranger => "user=stranger password_file=$keys/app"]
--- steps eval
sub {
    redis('ACL', 'SETUSER', 'app', 'on', '>app secret', '~app:*', '+@all');
    redis('CONFIG', 'SET', 'requirepass', 'se cret');
    redis('-a', 'se cret', '--no-auth-warning', 'CLIENT', 'KILL', 'TYPE', 'normal');
    my %status;
    for my $name (qw(default app wrong stranger none)) {
        eventually {
            my $answer = talk("POST /$name HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create");
            $status{$name} = (answers($answer))[0]{status};
            $status{$name} == 200 || ($name eq 'none' ? nginx_log() =~ /unauthenticated|NOAUTH/ : $name =~ /wrong|stranger/);
        };
    }
    is(redis('-a', 'se cret', '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', ''), 'OK', 'as it was');
    is_deeply(\%status, {none => 503, default => 200, app => 200, wrong => 503, stranger => 503}, 'who is let in');
    unlike(nginx_log(), qr/se cret|app secret|not the secret/, 'no password in the log');
}
--- error_log eval
[qr/AUTH was refused with WRONGPASS: check user= and password_file=|does not tell where Redis is: WRONGPASS;/,
 qr/answered: ERR Protocol error: unauthenticated|ROLE was refused with NOAUTH: check the rights of the user/]



=== TEST 10: the right to run scripts is missing: that is a fault, and trying again does not help
--- config eval
write_key(poor => "poor\n");
api('api_token_redis ' . redis_here('user=poor', "password_file=$ENV{TEST_NGINX_KEYS}/poor"))
--- steps eval
sub {
    redis('ACL', 'SETUSER', 'poor', 'on', '>poor', '~*', '+@all', '-@scripting');
    my $answer;
    eventually { ($answer = post($::create))->{status} == 500 };
    is_answer($answer, 500, $::fault, 'create');
    is($answer->{headers}{'retry-after'}, undef, 'no Retry-After');
}
--- error_log eval
qr/\[error\] .* redis \S+.* answered: NOPERM /



=== TEST 11: a key that holds something else
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    redis('SET', "api_token:{$::partition}:account:$account:expires_at", 'x');
    is_answer(post($::create), 500, $::fault, 'an order');
    is(redis('KEYS', '*:token:*'), '', 'no token is stored');
    redis('FLUSHALL');
    is(post($::create)->{status}, 200, 'and then it works');
}
--- error_log
answered: 
WRONGTYPE



=== TEST 12: Redis has forgotten the script
--- config eval: api()
--- steps eval
sub {
    for my $round (1 .. 3) {
        is(redis('SCRIPT', 'FLUSH'), 'OK', "round $round");
        is(post($::create)->{status}, 200, "round $round: create");
    }
    like(redis('INFO', 'commandstats'), qr/cmdstat_evalsha:.*failed_calls=[1-9]/, 'it was asked by its digest');
}



=== TEST 13: a replica, and a Redis that is full: another try may help
--- config eval: api("api_token_redis redis://127.0.0.1:$::single")
--- steps eval
sub {
    start_server($::single, "save ''");
    ok(eventually { post($::create)->{status} == 200 }, 'a master');
    cli($::single, 'REPLICAOF', '127.0.0.1', 1);
    is_unavailable(post($::create), 'a replica');
    cli($::single, 'REPLICAOF', 'NO', 'ONE');
    ok(eventually { post($::create)->{status} == 200 }, 'a master again');
    cli($::single, 'CONFIG', 'SET', 'maxmemory', 1);
    is_unavailable(post($::create), 'full');
    cli($::single, 'CONFIG', 'SET', 'maxmemory', 0);
    ok(eventually { post($::create)->{status} == 200 }, 'with memory again');
    stop_server($::single);
}
--- error_log
answered: READONLY



=== TEST 14: a Redis that is slow
--- config eval
api('api_token_redis ' . redis_here('timeout=100ms'))
--- steps eval
sub {
    is(post($::create)->{status}, 200, 'fast');
    redis('CLIENT', 'PAUSE', 2000, 'ALL');
    my $start = Time::HiRes::time();
    is_unavailable(post($::create), 'slow');
    my $took = Time::HiRes::time() - $start;
    ok($took > 0.09 && $took < 1.5, "after $took s");
    ok(eventually { post($::create)->{status} == 200 }, 'fast again');
}
--- error_log
it does not answer in time



=== TEST 15: answers that are no script's
--- config eval
join '', map { api("api_token_redis unix:$ENV{TEST_NGINX_KEYS}/false.sock prefix=case$_: timeout=100ms") =~ s{location \S+}{location /$_}r } 0 .. 14
--- steps eval
sub {
    # hiredis 1 reads a reply of any depth
    my $deep = qx(ldd @{[$ENV{MODULE} || $ENV{TEST_NGINX_BINARY}]}) =~ /libhiredis\.so\.0\./ ? 503 : 500;
    my @cases = (
        ['-ERR unknown command' => "-ERR unknown command\r\n", 500],
        ['-LOADING'             => "-LOADING Redis is loading the dataset in memory\r\n", 503],
        ['-BUSY'                => "-BUSY Redis is busy running a script\r\n", 503],
        ['-NOPERM'              => "-NOPERM this user has no permissions\r\n", 500],
        ['another number'       => ":2\r\n", 500],
        ['nil'                  => "\$-1\r\n", 500],
        ['another text'         => "+PONG\r\n", 500],
        ['an empty array'       => "*0\r\n", 500],
        ['no record'            => "*2\r\n\$1\r\nx\r\n*1\r\n:1\r\n", 500],
        ['no RESP'              => "HTTP/1.1 400 Bad Request\r\n\r\n", 503],
        ['a cut reply'          => "\$100\r\nabc", 503],
        ['two replies'          => ":1\r\n:1\r\n", 503],
        ['a deep reply'         => "*1\r\n" x 20 . ":1\r\n", $deep],
        ['an end'               => undef, 503],
        ['a long reply'         => "\$1000000\r\n" . 'x' x 1_000_000 . "\r\n", 500],
    );
    my $redis = false_redis("$ENV{TEST_NGINX_KEYS}/false.sock", map { $_->[1] } @cases);
    for my $i (0 .. $#cases) {
        my ($name, undef, $status) = @{$cases[$i]};
        my $answer;
        eventually {
            ($answer) = answers(talk("POST /$i HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                . "Content-Length: 25\r\n\r\n$::create"));
            # 503 while the connection is made, which may take a slow machine too long
            $answer->{status} == $status && ($name ne 'two replies' || nginx_log() =~ /nobody asked for/);
        };
        is_answer($answer, $status, $status == 500 ? $::fault : $::unavailable, $name);
    }
    kill TERM => $redis;
    waitpid $redis, 0;
}
--- error_log
it sent a reply that nobody asked for



=== TEST 16: answers to a check that are no record
--- config eval
join '', map { api("api_token_redis unix:$ENV{TEST_NGINX_KEYS}/no_record.sock prefix=case$_:", 'auth_api_token r') =~ s{location \S+}{location /$_}r } 0 .. 3
--- steps eval
sub {
    my @cases = ('*0' => "*0\r\n", '*1' => "*1\r\n:1\r\n", 'a number' => ":1\r\n", 'nil' => "\$-1\r\n");
    my $redis = false_redis("$ENV{TEST_NGINX_KEYS}/no_record.sock", @cases[grep { $_ % 2 } 0 .. $#cases]);
    my $token = sign({sub => $account, jti => $environment, token_scope => 'account', iat => time, exp => time + 60});
    for my $i (0 .. @cases / 2 - 1) {
        my $answer;
        # 503 while the connection is made for the first time
        eventually { ($answer = ask("/$i", $token))->{status} != 503 };
        is_answer($answer, 500, $::fault, $cases[2 * $i]);
    }
    kill TERM => $redis;
    waitpid $redis, 0;
}



=== TEST 17: one connection for all requests of a worker
--- config eval: api()
--- steps eval
sub {
    my $before = () = redis('CLIENT', 'LIST') =~ /cmd=evalsha/g;
    post($::create) for 1 .. 20;
    my $after = () = redis('CLIENT', 'LIST') =~ /cmd=evalsha/g;
    is("$before $after", '0 1', 'connections');
}



=== TEST 18: a Redis that does not know AUTH says what it was sent
--- http_config
api_token_cache zone=t:1m;
--- config eval
my $password = write_key('no_auth', "not for a log\n");
join '', map { api("api_token_redis $_->[1] password_file=$password", 'auth_api_token r') =~ s{location \S+}{location /$_->[0]}r }
    [redis => "unix:$ENV{TEST_NGINX_KEYS}/no_auth.sock"], [cluster => "cluster://127.0.0.1:$::single"]
--- steps eval
sub {
    my $redis = ApiToken::start_redis("$ENV{TEST_NGINX_KEYS}/no_auth.sock", $::single, '--rename-command', 'AUTH', '');
    my @told = (qr/AUTH was refused with ERR/, qr/revocations are not heard: ERR/, qr/cluster:\S+ .*does not tell where Redis is: ERR/);
    for my $told (@told) {
        ok(eventually { nginx_log() =~ $told }, "told: $told");
    }
    unlike(nginx_log(), qr/not for a log/, 'no password in the log');
    kill TERM => $redis;
    waitpid $redis, 0;
}
