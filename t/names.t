use ApiToken;
use Servers;
use IO::Socket::INET;

workers(2);
master_on();
no_root_location();
log_level('info');
plan 'no_plan';

our $create = '{"token_scope":"account"}';
our ($port, $dns, $sentinel, $nowhere) = server_ports(4);
our $answer_file = "$ENV{TEST_NGINX_KEYS}/address";

sub set_address {
    open my $out, '>', "$answer_file.new" or die "$answer_file: $!\n";
    print $out $_[0];
    close $out;
    rename "$answer_file.new", $answer_file;
}

# a name server that knows one address, that of the file, or none; it asks nobody
set_address('127.0.0.1');
my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => $dns) // die "dns: $!\n";
my $server = fork() // die "fork: $!\n";
if ($server == 0) {
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (defined(my $peer = $socket->recv(my $query, 512))) {
        open my $in, '<', $answer_file or next;
        my $address = <$in> // '';
        my ($id, $question) = (substr($query, 0, 2), substr $query, 12);
        my $type = unpack 'n', substr $question, -4, 2;
        my $found = $address ne '' && $type == 1;
        my $code = $address eq '' ? 0x8183 : 0x8180;
        $socket->send($id . pack('n5', $code, 1, $found ? 1 : 0, 0, 0) . $question
            . ($found ? pack('n3Nn', 0xc00c, 1, 1, 1, 4) . Socket::inet_aton($address) : ''));
    }
    POSIX::_exit(0);
}

END {
    if ($server) {
        local $?;
        kill TERM => $server;
        waitpid $server, 0;
    }
}

sub start_at { start_server($port, "save ''", $_[0]) }
sub until_served { until_both_serve { post($create) } }
sub named (@) { return checks(@_) =~ s/^api_token_redis .*\n//mr }
our $api = api('api_token_redis x', $named_worker) =~ s/^ *api_token_(?:redis|key) .*\n//mgr;

run_tests();

__DATA__

=== TEST 1: a Redis that moves is found by its name
--- http_config eval: main::named("resolver 127.0.0.1:$main::dns valid=1s ipv6=off", "api_token_redis redis://localhost:$main::port", 'api_token_cache zone=t:1m')
--- config eval: $::api
--- steps eval
sub {
    set_address('127.0.0.1');
    start_at('127.0.0.1');
    until_served();
    stop_server($::port);
    is_answer(post($::create), 503, $::unavailable, 'it is gone');
    set_address('127.0.0.2');
    start_at('127.0.0.2');
    until_served();
    eventually { `redis-cli -h 127.0.0.2 -p $::port PUBSUB NUMSUB api_token:changes` =~ /\n2$/ };
    stop_server($::port);
}
--- error_log
Connection refused; requests that need it are answered 503 until it is back



=== TEST 2: what the resolver does not tell is where it was
--- http_config eval
main::named("resolver 127.0.0.1:$main::dns valid=1s ipv6=off", "api_token_redis redis://localhost:$main::port")
--- config eval: $::api
--- steps eval
sub {
    set_address('');
    start_at('127.0.0.1');
    until_served();
    stop_server($::port);
}
--- error_log
: connected



=== TEST 3: nor is one needed that is silent
--- http_config eval
main::named("resolver 127.0.0.1:$main::nowhere valid=1s ipv6=off", "api_token_redis redis://localhost:$main::port")
--- config eval: $::api
--- steps eval
sub {
    start_at('127.0.0.1');
    until_served();
    stop_server($::port);
}
--- error_log
: connected



=== TEST 4: sentinels that tell a name
--- http_config eval
main::named("resolver 127.0.0.1:$main::dns valid=1s ipv6=off", "api_token_redis sentinel://localhost:$main::sentinel/store")
--- config eval: $::api
--- steps eval
sub {
    set_address('127.0.0.1');
    start_at('127.0.0.1');
    start_server($::sentinel, "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel monitor store localhost $::port 1");
    is(cli($::sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'store'), "localhost\n$::port", 'a name');
    until_served();
    stop_server($::port, $::sentinel);
}
--- error_log
: connected



=== TEST 5: and no resolver
--- http_config eval
main::named("api_token_redis sentinel://localhost:$main::sentinel/store")
--- config eval: $::api
--- steps eval
sub {
    start_at('127.0.0.1');
    start_server($::sentinel, "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel monitor store localhost $::port 1");
    eventually { open my $log, '<', $Test::Nginx::Util::ErrLogFile; local $/; <$log> =~ /its name/ };
    is_answer(post($::create), 503, $::unavailable, 'create');
    stop_server($::port, $::sentinel);
}
--- error_log
its name is not found by nginx's resolver; requests that need it are answered 503 until it is back



=== TEST 5: nor does a reload wait for one that is silent longer than a request does
--- http_config eval
main::named("resolver 127.0.0.1:$main::nowhere valid=1s ipv6=off", "api_token_redis redis://localhost:$main::port timeout=200ms")
--- config eval: $::api
--- steps eval
sub {
    # who takes what is asked, and answers nothing
    my $silent = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => $::nowhere) // die "udp: $!\n";
    start_at('127.0.0.1');
    until_served();
    my %seen;
    my $request = "POST /api/v1/api_token HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create";
    for (1 .. 5) {
        my $reload = fork() // die "fork: $!\n";
        if ($reload == 0) {
            reload_nginx();
            POSIX::_exit(0);
        }
        my @clients = map { Time::HiRes::sleep(0.001); my $client = connect_to_nginx(); print $client $request; $client } 1 .. 100;
        local $/;
        $seen{$_->{status}}++ for map { answers(scalar <$_>) } splice @clients;
        waitpid $reload, 0;
    }
    is_deeply(\%seen, {200 => 500}, 'all are served');
    stop_server($::port);
}
