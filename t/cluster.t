use ApiToken;
use Servers;

workers(2);
master_on();
no_root_location();
log_level('info');
plan 'no_plan';

our $create = '{"token_scope":"account"}';

# three masters, and a replica of the first
our ($replica, @masters) = server_ports(4);
our ($nowhere, $single) = server_ports(2);
our @all = (@masters, $replica);
my %bus = map { $_ => server_ports(1) } @all;

sub node_id { 'a' x 35 . sprintf '%05d', $_[0] }

# what a node is started with: all that it would have learned of the others
sub nodes_of {
    my ($self) = @_;
    my @slots = ('0-5460', '5461-10922', '10923-16383');
    my $text = '';
    for my $i (0 .. 3) {
        my $is_master = $i < 3;
        $text .= join(' ', node_id($all[$i]), "127.0.0.1:$all[$i]\@$bus{$all[$i]}", ($all[$i] == $self ? 'myself,' : '') . ($is_master ? 'master' : 'slave'),
            $is_master ? '-' : node_id($masters[0]), 0, 0, $is_master ? $i + 1 : 1, 'connected', $is_master ? $slots[$i] : ()) . "\n";
    }
    return $text . "vars currentEpoch 3 lastVoteEpoch 0\n";
}

sub start_node {
    my ($port, @more) = @_;
    my $conf = join "\n", "save ''", 'cluster-enabled yes', 'cluster-node-timeout 2000', "cluster-port $bus{$port}",
        'cluster-announce-ip 127.0.0.1', 'repl-diskless-sync-delay 0', @more;
    start_server($port, $conf, undef, 'nodes.conf' => nodes_of($port));
}

sub until_ok { eventually { @_ == grep { cli($_, 'CLUSTER', 'INFO') =~ /cluster_state:ok/ } @_ } }

sub start_all {
    stop_server(@all);
    start_node($_, @_) for @all;
    until_ok(@all);
    until_replicated($masters[0]);
}

# of partitions that are in slots of all masters
our @accounts = map { "013xrzp12g${_}0000000000000001" } map { "00000$_" } qw(a b c d e f g h j k m n);

sub cluster (@) {
    my ($ports, @more) = @_;
    return 'api_token_redis cluster://' . join(',', map { "127.0.0.1:$_" } @$ports) . " @more";
}
sub checked (@) { return checks(@_) =~ s/^api_token_redis .*\n//mr }
our $api = api('api_token_redis x', 'api_token_caller account=$http_x_account', $named_worker) =~ s/^ *api_token_(?:redis|key) .*\n//mgr;
our $place = "location / { auth_api_token r; proxy_pass http://behind; }\n";

sub as { return {'X-Account' => $_[0]} }
sub make { return post($create, as($_[0])) }
sub new_of { return new_token({}, as($_[0])) }

sub until_served {
    for my $account (@accounts) { until_both_serve { make($account) } }
}
sub listeners { my $count = 0; $count += (cli($_, 'PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n(\d+)$/)[0] // 0 for @_; return $count }
sub until_heard_at { my @ports = @_; eventually { listeners(@ports) == 2 } }

sub key_of { return 'api_token:{' . substr($_[0], 10, 6) . "}:token:$_[0]" }
sub slot_of { return cli($masters[0], 'CLUSTER', 'KEYSLOT', $_[0]) }
sub owner_of {
    my $slot = shift;
    my @lines = split /\n/, cli($masters[1], 'CLUSTER', 'SLOTS');
    my ($first) = grep { $lines[$_] =~ /^\d+$/ && ($lines[$_ + 1] // '') =~ /^\d+$/ && $lines[$_] <= $slot && $slot <= $lines[$_ + 1]
        && ($lines[$_ + 2] // '') =~ /^127/ } 0 .. $#lines;
    return $lines[$first + 3];
}

# new tokens of an account: its slot, the master that has it, another one, and each token with its details
sub tokens_of {
    my ($account, $count) = @_;
    my @tokens = map { [new_of($account)] } 1 .. $count;
    my $slot = slot_of(key_of($tokens[0][1]{id}));
    my $home = owner_of($slot);
    return ($slot, $home, (grep { $_ != $home } @masters)[0], @tokens);
}

sub begin_move {
    my ($slot, $from, $to) = @_;
    cli($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', node_id($from));
    cli($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', node_id($to));
}

sub end_move {
    my ($slot, $from, $to) = @_;
    my @keys = split /\n/, cli($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 1000);
    cli($from, 'MIGRATE', '127.0.0.1', $to, '', 0, 5000, 'KEYS', @keys) if @keys;
    cli($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', node_id($to)) for $to, $from, @masters;
}

run_tests();

__DATA__

=== TEST 1: each account's operations, at the node that has its slot
--- http_config eval: main::checked(main::cluster([$main::nowhere, $main::masters[1]]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    my %owners;
    for my $account (@::accounts) {
        my ($token, $details) = new_of($account);
        my $port = owner_of(slot_of(key_of($details->{id})));
        $owners{$port}++;
        is(cli($port, 'HGET', key_of($details->{id}), 'account_id'), $account, 'its node has it');
        is(ask('/', $token)->{status}, 200, 'check');
        is(request(GET => "/$details->{id}", undef, as($account))->{status}, 200, 'retrieve');
        is(json(request(GET => '', undef, as($account))->{content})->{status}, 'success', 'list');
        is(request(POST => "/$details->{id}/revoke", undef, as($account))->{status}, 200, 'revoke');
        is(ask('/', $token)->{status}, 401, 'revoked');
        is(request(DELETE => "/$details->{id}", undef, as($account))->{status}, 200, 'delete');
    }
    is(scalar keys %owners, 3, 'three nodes');
    my %clients = map { $_ => scalar(() = cli($_, 'CLIENT', 'LIST') =~ /cmd=eval/g) } @::masters;
    is_deeply([grep { $clients{$_} > 2 } @::masters], [], 'one connection for each worker') or diag(explain(\%clients));
}
--- error_log eval
qr/redis cluster:\S+ \(127.0.0.1:$main::nowhere\) does not tell where Redis is: Connection refused; the next is asked/



=== TEST 2: a change is heard at whichever node it was published
--- http_config eval: main::checked(main::cluster([@main::masters]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    until_heard_at(@::all);
    for my $port (@::all) {
        my ($token, $details) = new_of($::accounts[0]);
        is(ask('/', $token)->{status}, 200, 'active') for 1 .. 5;
        my $owner = owner_of(slot_of(key_of($details->{id})));
        cli($owner, 'HSET', key_of($details->{id}), 'status', 'revoked');
        is(ask('/', $token)->{status}, 200, 'a cache does not ask');
        cli($port, 'PUBLISH', 'api_token:changes', $details->{id});
        my $took = eventually { ask('/', $token)->{status} == 401 };
        cmp_ok($took, '<', 1, "heard from $port");
    }
    # the node that is listened at, not the one that has the token
    my ($token, $details) = new_of($::accounts[0]);
    is(ask('/', $token)->{status}, 200, 'active') for 1 .. 5;
    my $owner = owner_of(slot_of(key_of($details->{id})));
    cli($owner, 'HSET', key_of($details->{id}), 'status', 'revoked');
    is(ask('/', $token)->{status}, 200, 'remembered');
    my @places = grep { listeners($_) } @::all;
    cli($_, 'CLIENT', 'KILL', 'TYPE', 'pubsub') for @places;
    eventually { ask('/', $token)->{status} == 401 };
    until_heard_at(@::all);
}
--- error_log
revocations are not heard: Server closed the connection



=== TEST 3: a slot moves and comes back under load
--- http_config eval: main::checked(main::cluster([@main::masters]))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    my $account = $::accounts[0];
    my ($slot, $home, $other, @known) = tokens_of($account, 20);
    my %status;
    my $load = sub {
        my ($answer) = make($account);
        $status{create}{$answer->{status}}++;
        push @known, [@{json($answer->{content})}{qw(token details)}] if $answer->{status} == 200;
        $status{check}{ask('/', $known[rand @known][0])->{status}}++;
        $status{retrieve}{request(GET => "/$known[rand @known][1]{id}", undef, as($account))->{status}}++;
    };
    for (1 .. 3) {
        my ($from, $to) = ($home, $other);
        for (1 .. 2) {
            begin_move($slot, $from, $to);
            while (my @keys = split /\n/, cli($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 7)) {
                cli($from, 'MIGRATE', '127.0.0.1', $to, '', 0, 5000, 'KEYS', @keys);
                # a script of many keys that are at both nodes waits for the rest
                $status{check}{ask('/', $known[rand @known][0])->{status}}++ for 1 .. 3;
            }
            end_move($slot, $from, $to);
            $load->() for 1 .. 30;
            ($from, $to) = ($to, $from);
        }
    }
    is_deeply([map { keys %{$status{$_}} } qw(create check retrieve)], [200, 200, 200], 'all is answered') or diag(explain(\%status));
    my $list = json(request(GET => '?pagination[page_size]=1', undef, as($account))->{content});
    cmp_ok($list->{pagination}{item_count}, '>=', scalar @known, 'nothing is lost');
    is(ask('/', $_->[0])->{status}, 200, 'known') for @known[0 .. 19];
    my $moved = 0;
    $moved += $_ for map { cli($_, 'INFO', 'errorstats') =~ /errorstat_(?:MOVED|ASK):count=(\d+)/ } @::masters;
    cmp_ok($moved, '>', 0, 'nodes did tell where else it is');
}



=== TEST 4: a slot that stays between two nodes: what can be answered is, the rest is 503 in time
--- http_config eval: main::checked(main::cluster([@main::masters]))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    my $account = $::accounts[0];
    my ($slot, $home, $other, @known) = tokens_of($account, 5);
    begin_move($slot, $home, $other);
    cli($home, 'MIGRATE', '127.0.0.1', $other, '', 0, 5000, 'KEYS', map { key_of($_->[1]{id}) } @known[0, 1]);
    is(cli($home, 'EXISTS', key_of($known[0][1]{id})) =~ /ASK/ ? 'gone' : 'here', 'gone', 'the first key is not there');
    for (1 .. 5) {
        is(ask('/', $_->[0])->{status}, 200, 'check') for @known;
        is(request(GET => "/$_->[1]{id}", undef, as($account))->{status}, 200, 'retrieve') for @known;
    }
    my $sent = Time::HiRes::time();
    is_answer(make($account), 503, $::unavailable, 'a create, whose keys are at both');
    my $took = Time::HiRes::time() - $sent;
    ok($took > 0.4 && $took < 3, "after the timeout: $took");

    # the script finds the token's key, and then not those that its account has
    my ($id, $prefix) = ($known[2][1]{id}, key_of($known[2][1]{id}) =~ s/token:.*/account:$account/r);
    is(request(POST => "/$id/revoke", undef, as($account))->{status}, 200, 'revoke');
    cli($home, 'MIGRATE', '127.0.0.1', $other, '', 0, 5000, 'KEYS', map { "$prefix:$_" } qw(inserted_at expires_at));
    is_answer(request(DELETE => "/$id", undef, as($account)), 503, $::unavailable, 'a delete');
    is(request(GET => "/$id", undef, as($account))->{status}, 200, 'nothing of it is done');

    my $ended = fork();
    if (!$ended) {
        Time::HiRes::sleep(0.2);
        end_move($slot, $home, $other);
        POSIX::_exit(0);
    }
    my $answer;
    eventually { $answer = make($account); $answer->{status} == 200 };
    waitpid $ended, 0;
    is(make($account)->{status}, 200, 'create') for 1 .. 10;
    is(request(DELETE => "/$id", undef, as($account))->{status}, 200, 'delete');
}



=== TEST 5: a master dies and its replica takes over
--- http_config eval: main::checked(main::cluster([@main::masters]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    until_served();
    my ($account) = grep { owner_of(slot_of("{" . substr($_, 10, 6) . "}")) == $::masters[0] } @::accounts;
    my ($token, $details) = new_of($account);
    eventually { cli($::replica, 'EXISTS', key_of($details->{id})) =~ /MOVED|1/ };
    eventually { cli($::masters[0], 'WAIT', 1, 100) eq '1' };
    until_heard_at(@::all);
    is(ask('/', $token)->{status}, 200, 'known') for 1 .. 3;
    stop_server($::masters[0]);
    my ($longest, %seen) = (0);
    eventually {
        my $sent = Time::HiRes::time();
        my $answer = make($account);
        my $time = Time::HiRes::time() - $sent;
        $longest = $time if $time > $longest;
        if ($answer->{status} != 200 && !$seen{$answer->{status}}++) {
            is_answer($answer, 503, $::unavailable, 'while nobody has the slot');
            is($answer->{headers}{'retry-after'}, 1, 'Retry-After');
        }
        $answer->{status} == 200;
    };
    ok($seen{503}, 'there was such a time');
    cmp_ok($longest, '<', 3, 'each answer in time');
    until_served();
    until_heard_at($::replica, @::masters[1, 2]);
    is(ask('/', $token)->{status}, 200, 'the replica has the token') for 1 .. 3;
    cli($::replica, 'HSET', key_of($details->{id}), 'status', 'revoked');
    is(ask('/', $token)->{status}, 200, 'remembered again');
    cli($::replica, 'PUBLISH', 'api_token:changes', $details->{id});
    eventually { ask('/', $token)->{status} == 401 };
}
--- error_log
requests that need it are answered 503 until it is back



=== TEST 6: a node that is cut off from the others is not believed
--- http_config eval: main::checked(main::cluster([$main::masters[0]]), 'api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all('cluster-require-full-coverage no');
    until_served();
    # both workers hear at that node
    eventually { listeners($::masters[0]) == 2 || (map { cli($_, 'CLIENT', 'KILL', 'TYPE', 'normal') } $::replica, @::masters[1, 2]) && 0 };
    until_served();
    my ($account) = grep { owner_of(slot_of("{" . substr($_, 10, 6) . "}")) == $::masters[0] } @::accounts;
    my ($token) = new_of($account);
    is(ask('/', $token)->{status}, 200, 'known') for 1 .. 3;
    signal_server($_, 'STOP') for $::replica, @::masters[1, 2];
    eventually { cli($::masters[0], 'CLUSTER', 'INFO') =~ /cluster_state:fail/ };
    eventually { ask('/', $token)->{status} == 503 };
    is_answer(make($account), 503, $::unavailable, 'a write');
    signal_server($_, 'CONT') for $::replica, @::masters[1, 2];
    until_served();
    until_heard_at(@::all);
    is(ask('/', $token)->{status}, 200, 'known again');
}
--- error_log
its cluster_state is not ok



=== TEST 7: a Redis that is no cluster
--- http_config eval: main::checked(main::cluster([$main::single]))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_server($::single, "save ''");
    my $sent = Time::HiRes::time();
    is_answer(make($::accounts[0]), 503, $::unavailable, 'create') for 1 .. 2;
    my $took = Time::HiRes::time() - $sent;
    cmp_ok($took, '<', 4, 'in time');
    eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; local $/; <$log> =~ /cluster support disabled/ };
}
--- error_log
does not tell where Redis is: ERR This instance has cluster support disabled



=== TEST 8: with a password
--- http_config eval
write_key(password => "secret\n");
main::checked(main::cluster([@main::masters], 'user=nginx', "password_file=$ENV{TEST_NGINX_KEYS}/password"), 'api_token_cache zone=t:1m')
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    for (@::all) {
        cli($_, qw(ACL SETUSER nginx on >secret ~api_token:* &api_token:changes +evalsha +eval +subscribe +ping +cluster|slots +cluster|info +asking
            +exists +get +hget +hmget +hset +set +expireat +publish +zadd +zcard +zcount +zrange +zrangebyscore +pttl +ttl +zrem));
        cli($_, qw(ACL SETUSER default resetpass >other));
        cli($_, qw(-a other --no-auth-warning CLIENT KILL TYPE normal));
    }
    until_served();
    my $heard = sub { my $count = 0; $count += (cli($_, qw(-a other --no-auth-warning PUBSUB NUMSUB api_token:changes)) =~ /\n(\d+)$/)[0] for @::all; $count };
    eventually { $heard->() == 2 };
}



=== TEST 9: a write is acknowledged when a replica of its node has it
--- http_config eval: main::checked(main::cluster([@main::masters], 'wait=1', 'timeout=3s'))
--- config eval: $::api . $::place
--- steps eval
sub {
    start_all();
    my ($safe) = grep { owner_of(slot_of("{" . substr($_, 10, 6) . "}")) == $::masters[0] } @::accounts;
    my ($alone) = grep { owner_of(slot_of("{" . substr($_, 10, 6) . "}")) == $::masters[1] } @::accounts;
    eventually { 20 == grep { make($safe)->{status} == 200 } 1 .. 20 };

    my $unconfirmed = error_body('unexpected', 'It may have been stored, but too few replicas have confirmed it in time.');
    my $missing = 0;
    for (1 .. 50) {
        my $id = json(make($safe)->{content})->{details}{id};
        # a node answers MOVED for what its replica has, too, unless the client has said READONLY
        open my $cli, '-|', "printf 'READONLY\nEXISTS %s\n' '@{[key_of($id)]}' | redis-cli -p $::replica" or die;
        $missing++ if join('', <$cli>) !~ /^1$/m;
    }
    is($missing, 0, 'the replica has what was acknowledged');

    is_answer(make($alone), 503, $unconfirmed, 'a node without a replica') for 1 .. 4;
    my ($token, $details) = new_of($safe);
    my $slot = slot_of(key_of($details->{id}));
    my $move = sub {
        my ($from, $to) = @_;
        begin_move($slot, $from, $to);
        end_move($slot, $from, $to);
    };
    $move->(@::masters[0, 1]);
    is_answer(make($safe), 503, $unconfirmed, 'moved to such a node') for 1 .. 4;
    is_answer(request(POST => "/$details->{id}/suspend", undef, as($safe)), 503, $unconfirmed, 'suspend');
    is(ask('/', $token)->{status}, 401, 'it is done');
    $move->(@::masters[1, 0]);
    is(request(POST => "/$details->{id}/activate", undef, as($safe))->{status}, 200, 'moved back: activate');
    is(make($safe)->{status}, 200, 'create') for 1 .. 4;

    signal_server($::replica, 'STOP');
    is_answer(make($safe), 503, $unconfirmed, 'the replica does not answer');
    signal_server($::replica, 'CONT');
    eventually { make($safe)->{status} == 200 };
}



=== TEST 10: what is no URL of a cluster
--- config
--- steps eval
sub {
    my %cases = (
        'cluster://'                    => 'no host',
        'cluster://127.0.0.1/0'         => 'a cluster has one database, without a number',
        'cluster://127.0.0.1,,127.0.0.2' => 'no host',
        'cluster://a:b@127.0.0.1'       => 'name the user by user=',
    );
    for my $url (sort keys %cases) {
        like(mistake(test_nginx(http => "api_token_redis $url;")), qr/^api_token_redis: "\Q@{[$url =~ s{\/\/.*\@}{\/\/***@}r]}\E" \Q$cases{$url}\E.* in \S+:3$/, $url);
    }
    unlike(test_nginx(http => 'api_token_redis cluster://127.0.0.1,[::1]:26380;'), qr/emerg/, 'two addresses');
}
