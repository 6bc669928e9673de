use ApiToken;
use Servers;

no_root_location();
log_level('info');
plan 'no_plan';

our $create = '{"token_scope":"account"}';
our $folder = "$ENV{TEST_NGINX_KEYS}/tls";
our ($plain, $port, @others) = server_ports(8);
mkdir $folder, 0700;

sub openssl { system("cd $folder && openssl $_[0] >/dev/null 2>&1") == 0 or die "openssl $_[0]\n" }

# a CA, and another; certificates of the server and of a client
my $new = '-newkey rsa:2048 -nodes -days 2';
openssl("req -x509 $new -subj /CN=$_ -keyout $_.key -out $_.pem") for qw(ca other);
write_key('tls/names', "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
for my $name (qw(server client)) {
    openssl("req $new -subj /CN=$name -keyout $name.key -out $name.csr");
    openssl("x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $name.pem");
}

# a server's configuration for TLS at that port
sub serves {
    return "tls-port $_[0]\ntls-cert-file $folder/server.pem\ntls-key-file $folder/server.key\ntls-ca-cert-file $folder/ca.pem\ntls-auth-clients yes\n";
}
start_server($plain, "save ''\nbind 127.0.0.1 127.0.0.2\n" . serves($port));

our $has_tls = mistake(test_nginx(http => 'api_token_redis rediss://127.0.0.1;')) !~ /needs hiredis/;

# Debian's nginx with the document's stream, to that server
my $proxy;
sub stop_proxy {
    my $pid = $proxy or return;
    undef $proxy;
    kill TERM => $pid;
    waitpid $pid, 0;
}
END { local $?; stop_proxy() }

sub start_proxy {
    my $change = shift;
    stop_proxy();
    open my $in, '<', 'docs/tls.md' or die "docs/tls.md: $!\n";
    my ($stream) = do { local $/; <$in> } =~ /^```nginx\n(load_module.*?)^```$/ms;
    my %here = ('/run/redis-tls' => $folder, '/etc/nginx/redis-ca' => "$folder/ca", '/etc/nginx/redis-client' => "$folder/client",
        'redis.example.com:6380' => "127.0.0.1:$port", 'redis.example.com' => 'localhost');
    $stream =~ s/\Q$_\E/$here{$_}/g or die "docs/tls.md: no $_\n" for sort { length $b <=> length $a } keys %here;
    $stream = $change->($stream) if $change;
    write_key('tls/proxy.conf', "user root; pid $folder/proxy.pid; error_log $folder/proxy.log info;\n$stream\nevents { }\n");
    $proxy = fork() // die "fork: $!\n";
    if ($proxy == 0) {
        exec '/usr/sbin/nginx', '-p', '/usr/share/nginx', '-g', 'daemon off;', '-e', "$folder/proxy.log", '-c', "$folder/proxy.conf" or POSIX::_exit(127);
    }
    eventually { -S "$folder/redis.sock" };
}

run_tests();

__DATA__

=== TEST 1: nginx's stream does TLS
--- http_config eval
checks("api_token_redis unix:$main::folder/redis.sock", 'api_token_cache zone=t:1m', 'api_token_last_used off') =~ s/^api_token_redis .*\n//r
--- config eval
(api('api_token_redis x') =~ s/^ *api_token_(?:redis|key) .*\n//mgr) . "location / { auth_api_token r; proxy_pass http://behind; }\n"
--- steps eval
sub {
    start_proxy();
    eventually { post($::create)->{status} == 200 };
    eventually { cli($::plain, 'PUBSUB', 'NUMSUB', 'api_token:changes') =~ /\n1$/ };
    my ($token, $details) = new_token();
    is(cli($::plain, 'HGET', "api_token:{3nqk8n}:token:$details->{id}", 'status'), 'active', 'it is in that Redis');
    is(ask('/', $token)->{status}, 200, 'active') for 1 .. 3;
    cli($::plain, 'HSET', "api_token:{3nqk8n}:token:$details->{id}", 'status', 'revoked');
    is(ask('/', $token)->{status}, 200, 'remembered');
    cli($::plain, 'PUBLISH', 'api_token:changes', $details->{id});
    eventually { ask('/', $token)->{status} == 401 };
    like(cli($::plain, 'CLIENT', 'LIST'), qr/laddr=127.0.0.1:$::port /, 'by TLS');
}
--- error_log
: connected



=== TEST 2: a certificate that is another's is not accepted
--- http_config eval
checks("api_token_redis unix:$main::folder/redis.sock") =~ s/^api_token_redis .*\n//r
--- config eval
api('api_token_redis x') =~ s/^ *api_token_(?:redis|key) .*\n//mgr
--- steps eval
sub {
    for my $change (sub { $_[0] =~ s/ca\.pem/other.pem/r }, sub { $_[0] =~ s/proxy_ssl_name localhost/proxy_ssl_name example.com/r },
        sub { $_[0] =~ s/proxy_ssl_certificate.*\n//gr }) {
        start_proxy($change);
        eventually { open my $log, '<', "$::folder/proxy.log"; local $/; (<$log> // '') =~ /SSL/ };
        is_answer(post($::create), 503, $::unavailable, 'create') for 1 .. 5;
        unlink "$::folder/proxy.log";
    }
}
--- error_log
Server closed the connection



=== TEST 3: rediss://, by builds that have it; the others name the way round
--- config
--- steps eval
sub {
    my $url = "rediss://localhost:$::port";
    my ($ca, $own) = ("ca=$::folder/ca.pem", "cert=$::folder/client.pem key=$::folder/client.key");
    my $try = sub { mistake(test_nginx(http => "api_token_redis @_;")) };
    like($try->("redis://localhost $ca"), qr/"ca=, cert=, key=" stand with rediss:\/\/, sentinel:\/\/ and cluster:\/\/ only in/, 'ca= without TLS');
    return like($try->($url, $ca), qr/"$url" needs hiredis 1\.0 or later .* stream with proxy_ssl .* unix socket \(docs\/tls\.md\) in \S+:3$/, 'no TLS')
        if !$::has_tls;

    like($try->($url), qr/"ca=" is missing/, 'no CA');
    like($try->($url, 'ca=/nonexistent'), qr/"ca=\/nonexistent" cannot be opened \(2: /, 'no file');
    like($try->($url, "ca=$::folder/names"), qr/"ca=" is no readable file of certificates/, 'no certificate');
    like($try->($url, $ca, "key=$::folder/client.key"), qr/"cert=, key=" need one another/, 'a key alone');
    like($try->($url, $ca, "cert=$::folder/client.pem key=$::folder/server.key"), qr/"cert=" does not fit key=/, 'the key of another');

    my %stores = (name => "$url $ca $own", address => "rediss://127.0.0.1:$::port $ca $own", nobody => "$url $ca",
        other => "$url ca=$::folder/other.pem $own", elsewhere => "rediss://127.0.0.2:$::port $ca $own");
    my ($second, $pid) = start_nginx("api_token_key $ENV{TEST_NGINX_KEYS}/hs256.jwk; server { listen 127.0.0.1:PORT;"
        . join('', map { "location /$_ { api_token; api_token_caller account=$account; api_token_redis $stores{$_}; }" } sort keys %stores) . '}');
    local $Test::Nginx::Util::ServerPortForClient = $second;
    my $make = sub { (answers(talk("POST /$_[0] HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create")))[0] };
    for my $name (qw(name address)) {
        eventually { $make->($name)->{status} == 200 };
    }
    for (1 .. 5) {
        is_answer($make->($_), 503, $::unavailable, $_) for qw(nobody other elsewhere);
    }
    kill QUIT => $pid;
    waitpid $pid, 0;
}



=== TEST 4: sentinels and a cluster by TLS
--- config
--- steps eval
sub {
    my ($sentinel, $sentinel_port, $node, $node_port, $bus) = @::others;
    my $files = "ca=$::folder/ca.pem cert=$::folder/client.pem key=$::folder/client.key";
    my @urls = ("sentinel://127.0.0.1:$sentinel_port/store", "cluster://localhost:$node_port");
    for my $url ($::has_tls ? () : @urls) {
        like(mistake(test_nginx(http => "api_token_redis $url $files;")), qr/"ca=" needs hiredis 1\.0 or later .* in \S+:3$/, "no TLS: $url");
    }
    return if !$::has_tls;
    for my $url (@urls) {
        like(mistake(test_nginx(http => "api_token_redis $url cert=$::folder/client.pem key=$::folder/client.key;")), qr/"ca=" is missing/, "$url: no CA");
    }

    start_server($sentinel, "sentinel monitor store 127.0.0.1 $::port 1\ntls-replication yes\n" . serves($sentinel_port));
    my $id = 'a' x 40;
    start_server($node, "save ''\ncluster-enabled yes\ncluster-port $bus\ntls-cluster yes\ncluster-announce-ip 127.0.0.1\n" . serves($node_port), undef,
        'nodes.conf' => "$id 127.0.0.1:$node\@$bus myself,master - 0 0 1 connected 0-16383\nvars currentEpoch 1 lastVoteEpoch 0\n");

    my %stores = (sentinel => "$urls[0] $files", cluster => "$urls[1] $files",
        other_sentinel => "$urls[0] ca=$::folder/other.pem", nobody_cluster => "$urls[1] ca=$::folder/ca.pem");
    my ($second, $pid) = start_nginx("api_token_key $ENV{TEST_NGINX_KEYS}/hs256.jwk; api_token_cache zone=t:1m; server { listen 127.0.0.1:PORT;"
        . join('', map { "location /$_ { api_token; api_token_caller account=$account; api_token_redis $stores{$_} prefix=$_:; }" } sort keys %stores) . '}');
    local $Test::Nginx::Util::ServerPortForClient = $second;
    my $make = sub { (answers(talk("POST /$_[0] HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n$::create")))[0] };
    my %server = (sentinel => $::plain, cluster => $node);
    for my $name (sort keys %server) {
        eventually { $make->($name)->{status} == 200 };
        eventually { cli($server{$name}, 'PUBSUB', 'NUMSUB', "$name:changes") =~ /\n2$/ };
        my @clients = grep { !/cmd=client/ } split /\n/, cli($server{$name}, 'CLIENT', 'LIST');
        my %ports = map { (/laddr=127.0.0.1:(\d+) /)[0] => 1 } @clients;
        is_deeply([keys %ports], [{sentinel => $::port, cluster => $node_port}->{$name}], "$name: all by TLS");
    }
    for (1 .. 3) {
        is_answer($make->($_), 503, $::unavailable, $_) for grep { /_/ } sort keys %stores;
    }
    kill QUIT => $pid;
    waitpid $pid, 0;
}
