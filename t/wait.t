use ApiToken;
use Servers;

plan 'no_plan';

our $stored = error_body('unexpected', 'It may have been stored, but too few replicas have confirmed it in time.');
our $create = '{"token_scope":"account"}';
our ($replica) = server_ports(1);
start_server($replica, "save ''\nreplicaof 127.0.0.1 $ENV{TEST_NGINX_REDIS_PORT}\nrepl-diskless-sync-delay 0\nreplica-priority 0");
until_replicated($ENV{TEST_NGINX_REDIS_PORT});

# WAIT takes a third of the timeout
sub waits { return 'api_token_redis ' . redis_here($_[0], 'timeout=' . ($_[1] // '6s')) }

sub is_not_confirmed {
    my ($answer, $name) = @_;
    is_answer($answer, 503, $stored, $name);
    is($answer->{headers}{'retry-after'}, 1, "$name: Retry-After");
}

sub seconds (&) {
    my $start = Time::HiRes::time();
    $_[0]->();
    return Time::HiRes::time() - $start;
}

run_tests();

__DATA__

=== TEST 1: what is acknowledged is with the replica
--- config eval: api(main::waits('wait=1', '30s'))
--- steps eval
sub {
    my ($missing, @ids);
    for (1 .. 100) {
        my (undef, $details) = new_token();
        push @ids, $details->{id};
        my $key = "api_token:{3nqk8n}:token:$details->{id}";
        $missing++ if cli($::replica, 'HGET', $key, 'status') ne 'active';
    }
    is($missing, undef, 'creates');
    for (map { my $id = $_; map { [$id, @$_] } ['suspend', 'suspended'], ['activate', 'active'], ['revoke', 'revoked'] } @ids[0 .. 9]) {
        my ($id, $action, $status) = @$_;
        is(request(POST => "/$id/$action")->{status}, 200, $action);
        is(cli($::replica, 'HGET', "api_token:{3nqk8n}:token:$id", 'status'), $status, 'there too');
    }
    is(request(DELETE => "/$ids[0]")->{status}, 200, 'delete');
    is(cli($::replica, 'EXISTS', "api_token:{3nqk8n}:token:$ids[0]"), 0, 'gone there too');
}



=== TEST 2: a replica that does not answer
--- http_config eval: checks()
--- config eval: api(main::waits('wait=1')) . 'location = /in { auth_api_token r; ' . main::waits('wait=1') . '; proxy_pass http://behind/; }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    signal_server($::replica, 'STOP');
    my $answer;
    cmp_ok(seconds { $answer = post($::create, {'Idempotency-Key' => 'k'}) }, '<', 6, 'within the timeout');
    is_not_confirmed($answer, 'create');
    is(json(request(GET => '')->{content})->{pagination}{item_count}, 2, 'it is stored');
    is_not_confirmed(post($::create, {'Idempotency-Key' => 'k'}), 'the same again');
    is_not_confirmed(request(POST => "/$details->{id}/suspend"), 'suspend');
    is(json(request(GET => "/$details->{id}")->{content})->{details}{status}, 'suspended', 'it is done');
    is(ask('/in', $token)->{status}, 401, 'the check knows');

    my $slow = connect_to_nginx();
    print $slow "POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create";
    cmp_ok(seconds { is(ask('/in', $token)->{status}, 401, 'check') for 1 .. 5 }, '<', 1.8, 'and waits for no replica');
    close $slow;
    my @answers = answers(talk(("POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nX: y\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create") x 3
        . "GET /none HTTP/1.0\r\n\r\n"));
    is_deeply([map { $_->{status} } @answers], [503, 503, 503, 404], 'one after the other');

    signal_server($::replica, 'CONT');
    eventually { $answer = post($::create, {'Idempotency-Key' => 'k'}); $answer->{status} == 200 };
    my $id = json($answer->{content})->{details}{id};
    is(cli($::replica, 'HGET', "api_token:{3nqk8n}:token:$id", 'status'), 'active', 'the first token, confirmed');
    is(request(POST => "/$details->{id}/activate")->{status}, 200, 'activate');
}



=== TEST 3: many at a time share a question
--- config eval: api(main::waits('wait=1', '30s'))
--- steps eval
sub {
    my @clients = map { connect_to_nginx() } 1 .. 50;
    redis('CONFIG', 'RESETSTAT');
    print $_ "POST /api/v1/api_token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create" for @clients;
    local $/;
    my @answers = map { answers(scalar <$_>) } @clients;
    is_deeply([grep { $_->{status} != 200 } @answers], [], 'all are acknowledged');
    my ($waits) = redis('INFO', 'commandstats') =~ /cmdstat_wait:calls=(\d+)/;
    cmp_ok($waits, '<', 50, "by less questions than there were creates");
    my @ids = map { json($_->{content})->{details}{id} } @answers;
    is(scalar(grep { cli($::replica, 'EXISTS', "api_token:{3nqk8n}:token:$_") } @ids), 50, 'all are there');
}



=== TEST 4: more replicas than there are
--- config eval: api(main::waits('wait=2'))
--- steps eval
sub {
    is_not_confirmed(post($::create), 'create');
    is(request(GET => '')->{status}, 200, 'reading waits for none');
    signal_redis('KILL');
    restart_redis();
    my $answer;
    eventually { $answer = post($::create); $answer->{content} eq $::stored };
    until_replicated($ENV{TEST_NGINX_REDIS_PORT});
}
--- error_log
requests that need it are answered 503



=== TEST 5: nginx -t
--- config
--- steps eval
sub {
    for my $bad ('', 0, -1, 'x', '1x', 101, '9' x 20) {
        my $said = mistake(test_nginx(location => "api_token_redis redis://127.0.0.1 wait=$bad;"));
        like($said, qr{^api_token_redis: "wait=$bad" needs a number of replicas from 1 to 100 in \S+:5$}, "wait=$bad");
    }
    like(test_nginx(location => "api_token_redis redis://127.0.0.1 wait=$_;"), qr/test is successful/, "wait=$_") for 1, 100;
}
