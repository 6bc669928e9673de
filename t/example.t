use ApiToken;
use IO::Socket::UNIX;

plan 'no_plan';

# nginx.conf.example as it is, but for the places of its files and its listeners

our $keys  = $ENV{TEST_NGINX_KEYS};
our $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';

open my $in, '<', 'nginx.conf.example' or die "nginx.conf.example: $!\n";
our $example = join '', <$in>;

sub change {
    my ($pattern, $text) = @_;
    my $count = $example =~ s/$pattern/$text/g;
    cmp_ok($count, '>', 0, "the example has $pattern");
}

write_key('hs256.jwk', test_key('hs256'));
write_key('admin.pem', test_key('es256_public'));
write_key('htpasswd', "deploy:{PLAIN}secret\n");
change(qr/load_module modules\/ngx_http_api_token_module\.so;/, $ENV{MODULE} ne '' ? "load_module $ENV{MODULE};" : '');
change(qr/user www-data;/, "user root; pid $keys/pid; daemon off;");
change(qr/^http \{$/m, 'http { access_log off;');
change(qr{/run/redis/redis\.sock}, $ENV{TEST_NGINX_REDIS});
change(qr{/etc/nginx/api_token\.jwk}, "$keys/hs256.jwk");
change(qr{/etc/nginx/api_token\.htpasswd}, "$keys/htpasswd");
change(qr{/etc/nginx/admin\.pub\.pem}, "$keys/admin.pem");
change(qr{listen 127\.0\.0\.1:(\d+);}, 'LISTEN $1;');
$example =~ s{LISTEN \$1;}{listen unix:$keys/$_.sock;} for 'api', 'tokens';

sub is_good {
    my ($text, $name) = @_;
    my $conf = write_key('example.conf', $text);
    unlink glob "$keys/*.sock";
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') =~ s/detect_leaks=1/detect_leaks=0/r;
    my $said = `$nginx -t -e stderr -p $keys -c $conf 2>&1`;
    like($said, qr/^nginx: configuration file \S+ test is successful$/m, $name);
    unlike($said, qr/\[(?:warn|error|crit|alert|emerg)\]/, "$name: without a warning");
}

is_good($example, 'as it is');
(my $deploy = $example) =~ s/^( *)#(deploy )/$1$2/m;
isnt($deploy, $example, 'a caller in its map');
is_good($deploy, 'with a caller');
(my $admin = $example) =~ s/^( *)#(api_token_(?:admin_key|audience) )/$1$2/mg;
isnt($admin, $example, 'an admin key and an audience');
is_good($admin, 'with an admin key and an audience');
(my $certificates = $example) =~ s/^( *)map \$remote_user[^}]*\}/$1/m;
$certificates =~ s/^( *)#(map \$ssl_client_verify.*\n) *#(.*\n) *#(.*\n) *#(\})/$1$2$3$4$5/m;
like($certificates, qr/^ *SUCCESS:/m, 'a map of client certificates');
is_good($certificates, 'with client certificates');

# ---- the way that it describes: the first token, and what that opens

sub send_to {
    my ($listener, @lines) = @_;
    my $peer = IO::Socket::UNIX->new(Peer => "$keys/$listener.sock") // die "$listener: $!\n";
    print $peer shift(@lines) . " HTTP/1.0\r\n" . join('', map { "$_\r\n" } @lines);
    local $/;
    return (answers(scalar <$peer>))[0];
}

my $conf = write_key('example.conf', $deploy);
unlink glob "$keys/*.sock";
my $pid = fork() // die "fork: $!\n";
exec $nginx, '-e', "$keys/error.log", '-p', $keys, '-c', $conf or POSIX::_exit(127) if $pid == 0;
END { kill KILL => $pid if $pid }
for (1 .. 200) {
    last if IO::Socket::UNIX->new(Peer => "$keys/tokens.sock");
    select undef, undef, undef, 0.02;
}

my @create = ('POST /api/v1/api_token', 'Content-Type: application/json', 'Content-Length: 25');
my $body   = "\r\n{\"token_scope\":\"account\"}";
my $basic  = sub { 'Authorization: Basic ' . MIME::Base64::encode_base64($_[0], '') };
is(send_to(api => @create, $body)->{status}, 401, 'nobody makes no token');
is(send_to(api => @create, $basic->('deploy:wrong'), $body)->{status}, 401, 'nor does one with a wrong password');
my $made = send_to(api => @create, $basic->('deploy:secret'), $body);
is_answer($made, 200, qr/"status":"success"/, 'the caller of the map makes one');
my $bearer = 'Authorization: Bearer ' . json($made->{content})->{token};
is(send_to(tokens => 'GET /', '')->{status}, 401, 'without it, the door is closed');
is(send_to(tokens => 'GET /', $bearer, '')->{status}, 502, 'with it, it is open: nobody is behind it here');
is(send_to(tokens => 'GET /api/v1/api_token', $bearer, '')->{status}, 200, 'and its account is listed');

kill QUIT => $pid;
waitpid $pid, 0;
is($?, 0, 'nginx ends');
undef $pid;
open my $log, '<', "$keys/error.log" or die "error.log: $!\n";
is((grep { /\[(?:error|crit|alert|emerg)\]/ && !/connect\(\) failed|password mismatch/ } <$log>), 0, 'and its log is clean');
