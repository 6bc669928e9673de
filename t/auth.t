use ApiToken;

workers(2);
master_on();
no_root_location();
plan 'no_plan';

our $missing   = error_body('not_authenticated', 'The request carries no valid credentials.');
our $bad       = error_body('bad_authtoken', 'The token is not valid.');
our $forbidden = error_body('not_permitted', 'The caller is not permitted to do this.');

# a location that is proxied once the access phase lets a request in
sub place { my $path = shift; "location $path { proxy_pass http://behind; @{[map { \"$_;\" } @_]} }\n" }

sub passes {
    my ($path, $with, $name) = @_;
    my $answer = ask($path, $with);
    is("$answer->{status} $answer->{content} " . ($answer->{headers}{'www-authenticate'} // 'no challenge'), '200 in no challenge', $name);
}

# 401 without a challenge but ours: for want of a token, or because of the one that is there
sub is_missing { refused($_[0], $_[1], 401, $::missing, qq(Bearer realm="r"), $_[2]) }
sub is_bad     { refused($_[0], $_[1], 401, $::bad, qq(Bearer realm="r", error="invalid_token"), $_[2]) }

sub refused {
    my ($path, $with, $status, $body, $challenge, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 2;
    my $answer = ask($path, $with);
    is_answer($answer, $status, $body, $name);
    is($answer->{headers}{'www-authenticate'}, $challenge, "$name: challenge");
}

sub status { ask($_[0], $_[1])->{status} }

our ($token, $details);
sub token { ($token, $details) = new_token() if !$token || redis('EXISTS', record()) eq '0'; $token }
sub record { 'api_token:{' . substr($details->{id}, 10, 6) . "}:token:$details->{id}" }

our $users = write_key(users => "joe:{PLAIN}secret\n");
our $joe   = 'Basic am9lOnNlY3JldA==';

run_tests();

__DATA__

=== TEST 1: credentials in the header Authorization
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . place('/', 'auth_api_token r')
--- steps eval
sub {
    my $token = token();
    is_missing('/', undef, 'no header');
    is_missing('/', {Authorization => $_}, "'$_'")
        for '', 'Bearer', 'Bearer ', 'bearer   ', 'Basic', $::joe, $token, "Token $token", "Bearer$token", "Bearer\t$token", "Bearer,$token";
    passes('/', {Authorization => $_ . $token}, "'$_' and a token") for 'Bearer ', 'bearer ', 'BEARER ', 'bEaReR ', 'Bearer  ', 'Bearer ' . ' ' x 20;
    passes('/', {Authorization => "Bearer $token  "}, 'spaces at the end, which are no part of a header');
    is_bad('/', {Authorization => "Bearer $_"}, 'bad: ' . substr $_, 0, 30)
        for 'x', '.', '..', 'a.b.c', "$token x", "$token,", "\t$token", "$token=", "\"$token\"", 'x' x 7000, $token . 'x' x 7000,
            substr($token, 1), substr($token, 0, -1), "$token.", ".$token", $token =~ s/\..*//sr, "$token.$token";
    is(status('/', {Authorization => "Bearer $token\r\nAuthorization: Bearer $token"}), 400, 'two of them nginx refuses itself');
    passes('POST /', $token, 'another method');
    is(status('POST /'), 401, 'and without a token');
}



=== TEST 2: what every refusal is, whatever the request
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . place('/', 'auth_api_token r')
--- steps eval
sub {
    my $head = "HTTP/1.1 401 Unauthorized\r\nServer: .*\r\nDate: .*\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n"
        . "WWW-Authenticate: Bearer realm=\"r\"\r\nCache-Control: no-store\r\n\r\n";
    like(talk("GET / HTTP/1.0\r\n\r\n"), qr/^$head\Q$::missing\E$/, 'HTTP/1.0 without Host: every header, and in this order');
    like(talk("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), qr/^$head$/, 'HEAD');
    my $post = "POST / HTTP/1.1\r\nHost: x\r\n";
    my @answers = answers(talk($post . "Content-Length: 20000\r\n\r\n" . 'x' x 20000,
        $post . "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nX: y\r\n\r\n",
        $post . "Content-Length: 0\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"));
    is(join(' ', map { "$_->{status} $_->{content}" } @answers), "401 $::missing 401 $::missing 401 $::bad", 'bodies are passed over and the connection goes on');
}



=== TEST 3: token= instead of the header
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . place('/cookie', 'auth_api_token r token=$cookie_t') . place('/arg', 'auth_api_token r token=$arg_t')
    . place('/both', 'auth_api_token r token=$arg_a$arg_b')
--- steps eval
sub {
    my $token = token();
    passes('/cookie', {Cookie => "a=b; t=$token"}, 'a cookie');
    passes("/arg?t=$token", undef, 'an argument');
    my ($start, $end) = unpack 'a100 a*', $token;
    passes("/both?a=$start&b=$end", undef, 'two variables');
    is_missing('/cookie', {Cookie => 't='}, 'an empty cookie');
    is_missing($_, undef, $_) for '/cookie', '/arg', '/arg?t=', '/arg?t', '/arg?';
    is_missing($_, $token, "$_: the header is not looked at") for '/cookie', '/arg', '/arg?t=';
    is_bad('/arg?t=x', $token, 'nor beside another token');
    is_bad("/arg?t=Bearer%20$token", undef, 'the scheme is for the header');
    is_bad("/arg?t=%20$token", undef, 'a space');
}



=== TEST 4: the realm
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . place('/quoted', 'auth_api_token "a \"b\" \\\\ c; d=e"') . place('/empty', 'auth_api_token ""') . place('/arg', 'auth_api_token $arg_realm')
    . place('/uri', 'auth_api_token "at $uri"') . place('/offer', 'auth_api_token offer')
--- steps eval
sub {
    my %realms = ('/quoted' => 'a \"b\" \\\\ c; d=e', '/empty' => '', '/arg?realm=a"b\\' => 'a\"b\\\\', '/arg' => '', '/arg?realm=OFF' => 'OFF',
        '/uri/%0d%0aX-Y:%20z%00%7f%22' => 'at /uri/X-Y: z\"', '/offer' => 'offer', "/uri/\xc3\xa9" => "at /uri/\xc3\xa9");
    for my $path (sort keys %realms) {
        next if $path =~ /%00/ && status($path) == 400;
        refused($path, undef, 401, $::missing, qq(Bearer realm="$realms{$path}"), $path);
    }
    refused('/uri/%0d%0aX-Y:%20z%22', undef, 401, $::missing, 'Bearer realm="at /uri/X-Y: z\""', 'no new header comes of it');
    passes('/arg?realm=off', undef, 'a realm that comes out as off');
}



=== TEST 5: a map lets preflight requests through
--- http_config eval
checks('api_token_cache zone=t:1m') . 'map $request_method $realm { OPTIONS off; default r; }'
--- config eval: api() . place('/', 'auth_api_token $realm')
--- steps eval
sub {
    my %preflight = (Origin => 'https://x.example', 'Access-Control-Request-Method' => 'GET');
    passes('OPTIONS /', \%preflight, 'OPTIONS');
    passes('OPTIONS /', {%preflight, Authorization => 'Bearer x'}, 'whatever token it has');
    is_missing('/', \%preflight, 'GET');
    passes('/', token(), 'GET with a token');
}



=== TEST 6: off, and what is inherited
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
'auth_api_token r scope=environment; proxy_pass_header X;' . (api('auth_api_token off'))
    . 'location / { proxy_pass http://behind; location /open { auth_api_token off; proxy_pass http://behind; location /open/again { auth_api_token r; proxy_pass http://behind; } } }
       location /if { if ($arg_a) { set $b 1; } proxy_pass http://behind; }
       location /arg { auth_api_token r token=$arg_t; proxy_pass http://behind; location /arg/header { auth_api_token r; proxy_pass http://behind; } }'
--- steps eval
sub {
    my $token = token();
    my ($environment) = new_token({token_scope => 'environment', environment_id => $environment});
    is(status('/', $environment), 200, "the server's: of the right scope");
    is(status('/', $token), 403, 'of the wrong scope');
    is_missing('/', undef, 'none');
    passes('/open', undef, 'off');
    passes('/open', {Authorization => 'Bearer x'}, 'off, with a bad one');
    is_missing('/open/again', undef, 'on again');
    passes('/open/again', $token, 'without the scope of above');
    is_missing('/if', undef, 'beside an if that is false');
    is_missing('/if?a=1', undef, 'in an if that is true');
    is(status('/if?a=1', $token), 403, 'with its scope');
    is(status('/if?a=1', $environment), 200, 'and a token');
    is_missing("/arg/header?t=$token", undef, 'token= is not inherited by another auth_api_token');
    passes('/arg/header', $token, 'which looks at the header');
}



=== TEST 7: satisfy any
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
my @basic = ('auth_basic staff', "auth_basic_user_file $::users");
api() . place('/basic', 'satisfy any', 'auth_api_token r', @basic) . place('/deny', 'satisfy any', 'auth_api_token r', 'deny all')
    . place('/allow', 'satisfy any', 'auth_api_token r scope=environment', 'allow all')
    . place('/scope', 'satisfy any', 'auth_api_token r scope=environment', @basic) . place('/scope-deny', 'satisfy any', 'auth_api_token r scope=environment', 'deny all')
    . place('/three', 'satisfy any', 'auth_api_token r', @basic, 'auth_request /session')
    . "location ~ ^/file|^/folder { satisfy any; auth_api_token r scope=environment; auth_basic staff; auth_basic_user_file $::users; auth_request /session; }"
    . 'location = /session { internal; if ($request_uri ~ in=1) { return 204; } return 403; }'
--- steps eval
sub {
    my $token = token();
    my $both = 'Bearer realm="r", Basic realm="staff"';
    refused('/basic', undef, 401, $::missing, $both, 'neither');
    refused('/basic', {Authorization => 'Basic eDp5'}, 401, $::missing, $both, 'a wrong password');
    refused('/basic', 'x', 401, $::bad, 'Bearer realm="r", error="invalid_token", Basic realm="staff"', 'a bad token');
    passes('/basic', $token, 'a token');
    passes('/basic', {Authorization => $::joe}, 'a password');
    refused('/scope', $token, 401, $::missing, 'Bearer realm="r", error="insufficient_scope", Basic realm="staff"', 'of the wrong scope, and no password');
    refused('/scope-deny', $token, 403, $::forbidden, 'Bearer realm="r", error="insufficient_scope"', 'of the wrong scope, and denied');
    passes('/deny', $token, 'a token where all are denied');
    is_missing('/deny', undef, 'denied, and no token');
    passes('/allow', $_, 'allowed, with or without a token') for $token, undef, 'x';
    passes('/three?in=1', $_, 'allowed by the third') for undef, 'x', {Authorization => 'Basic eDp5'};
    refused('/three', 'x', 401, $::bad, 'Bearer realm="r", error="invalid_token", Basic realm="staff"', 'refused by all three');
    for (['/file?in=1', 404], ['/folder/?in=1', 403]) {
        my $answer = ask($_->[0], $token);
        is("$answer->{status} $answer->{headers}{'content-type'} " . ($answer->{headers}{'www-authenticate'} // 'no challenge'),
            "$_->[1] text/html no challenge", "let in, to a $_->[1]");
    }
}
--- user_files
>>> folder/x
--- error_log
No such file or directory
is forbidden



=== TEST 8: satisfy all
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
my @basic = ('auth_basic staff', "auth_basic_user_file $::users");
api() . place('/deny', 'auth_api_token r', 'deny all') . place('/allow', 'auth_api_token r', 'allow all')
    . place('/basic', 'auth_api_token r token=$arg_t', @basic)
--- steps eval
sub {
    my $token = token();
    my $answer = ask('/deny', $token);
    is("$answer->{status} " . ($answer->{headers}{'www-authenticate'} // 'no challenge'), '403 no challenge', 'deny all, with a token');
    is_missing('/deny', undef, 'deny all, with none');
    passes('/allow', $token, 'allow all, with a token');
    is_missing('/allow', undef, 'allow all, with none');
    is_missing('/basic', {Authorization => $::joe}, 'a password and no token');
    passes("/basic?t=$token", {Authorization => $::joe}, 'a password and a token');
    $answer = ask("/basic?t=$token");
    is("$answer->{status} $answer->{headers}{'www-authenticate'}", '401 Basic realm="staff"', 'a token and no password');
}



=== TEST 9: error_page says otherwise
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
'auth_api_token r;' . api('auth_api_token off') . place('/named', 'error_page 401 @login') . place('/ok', 'error_page 401 =200 /login')
    . place('/page', 'error_page 401 /login') . place('/moved', 'error_page 401 =302 https://x.example/login') . place('/scope', 'auth_api_token r scope=environment', 'error_page 403 /login')
    . place('/checked', 'error_page 401 /inner') . place('/inner') . place('/elsewhere', 'error_page 404 /login')
    . 'location @login { auth_api_token off; return 401 "log in"; } location = /login { auth_api_token off; return 200 "log in"; }'
--- steps eval
sub {
    my $token = token();
    my %expected = ('/named' => '401 log in', '/ok' => '200 log in', '/page' => '401 log in', '/checked' => "401 $::missing", '/elsewhere' => "401 $::missing");
    for my $path (sort keys %expected) {
        my $answer = ask($path);
        is("$answer->{status} $answer->{content}", $expected{$path}, $path);
        is($answer->{headers}{'www-authenticate'}, 'Bearer realm="r"', "$path: one challenge") if $answer->{status} == 401;
        passes($path, $token, "$path with a token");
    }
    is("$_->{status} $_->{headers}{location}", '302 https://x.example/login', 'to another site') for ask('/moved', 'x');
    is("$_->{status} $_->{content}", '403 log in', 'of the wrong scope') for ask('/scope', $token);
}



=== TEST 10: internal redirects and named locations are checked by what stands there
--- config eval
api() . place('/checked', 'auth_api_token r') . place('@checked', 'auth_api_token r') . place('@open')
    . place('/open') . 'location /rewrite { rewrite ^ /checked last; } location /rewrite-open { auth_api_token r; rewrite ^ /open last; }
       location /try { try_files /none @checked; } location /try-open { auth_api_token r; try_files /none @open; }
       location /file { try_files /none /checked; } location /accel { proxy_pass http://unix:' . $ENV{TEST_NGINX_KEYS} . '/accel.sock; }
       location /index/ { index /checked; } location /try-both { auth_api_token r scope=account; try_files /none @checked; }'
--- http_config eval
checks('api_token_cache zone=t:1m') . "server { listen unix:$ENV{TEST_NGINX_KEYS}/accel.sock; location / { add_header X-Accel-Redirect /checked; return 200; } }"
--- steps eval
sub {
    my $token = token();
    for my $path ('/rewrite', '/try', '/try-open', '/file', '/accel', '/index/', '/try-both') {
        is_missing($path, undef, "$path, no token");
        is_bad($path, 'x', "$path, a bad one");
        passes($path, $token, "$path, a token");
    }
    passes('/rewrite-open', undef, 'a rewrite leaves before the access phase, as with every module of it');
}



=== TEST 11: limit_except
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . "location /deny { auth_api_token r; limit_except GET { deny all; } proxy_pass http://behind; }
    location /allow { auth_api_token r; limit_except GET { allow all; proxy_pass http://behind; } proxy_pass http://behind; }
    location /basic { auth_api_token r token=\$arg_t; limit_except GET { auth_basic staff; auth_basic_user_file $::users; proxy_pass http://behind; } proxy_pass http://behind; }"
--- steps eval
sub {
    my $token = token();
    passes('/deny', $token, 'GET');
    is(status('POST /deny', $token), 403, 'POST is denied');
    is_missing('POST /deny', undef, 'and checked');
    passes("$_ /allow", $token, "$_, allowed") for 'GET', 'POST';
    is_missing("$_ /allow", undef, "$_, allowed, but no token") for 'GET', 'POST';
    passes("POST /basic?t=$token", {Authorization => $::joe}, 'a password besides');
    is_missing('POST /basic', {Authorization => $::joe}, 'only a password');
    is(status("POST /basic?t=$token"), 401, 'only a token');
}



=== TEST 12: a token that expires while it is cached, or while limit_req delays its request
--- http_config eval
checks('api_token_cache zone=t:1m valid=60s stale=60s', 'limit_req_zone $api_token_id zone=z:64k rate=30r/m')
--- config eval: api('api_token_ttl 2s') . place('/', 'auth_api_token r') . place('/slow', 'auth_api_token r', 'limit_req zone=z burst=5')
--- steps eval
sub {
    my ($token) = new_token();
    my ($short) = new_token();
    my ($revoked, $details) = new_token({expires_at => '2030-01-01T00:00:00Z'});
    my @slow = map {
        my ($path, $with) = ('/slow', $_);
        is(status($path, $with), 200, 'the first is not delayed');
        my $nginx = connect_to_nginx();
        print $nginx "GET $path HTTP/1.0\r\nAuthorization: Bearer $with\r\n\r\n";
        $nginx->flush();
        $nginx;
    } $short, $revoked;
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    my $end = json((jwt($token))[1])->{exp};
    my ($in, $out, $late) = (0, 0, 0);
    for (1 .. 30) {
        my $status = status('/', $token);
        $in++   if $status == 200;
        $out++  if $status == 401;
        # nginx keeps the time of the last event
        $late++ if $status == 200 && Time::HiRes::time() > $end + 0.1;
        Time::HiRes::sleep(0.08) if $out < 3;
    }
    is($in + $out, 30, 'nothing but 200 and 401');
    cmp_ok($in, '>', 5, 'it was let in');
    cmp_ok($out, '>', 5, 'it was refused');
    is($late, 0, 'let in after its end');
    is_bad('/', $token, 'as another bad token');
    is(join(' ', map { local $/; (answers(<$_>))[0]{status} } @slow), '401 401', 'one that expired and one that was revoked during the delay');
}
--- error_log
delaying request, excess



=== TEST 13: each status of a token, and what Redis has of another kind
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: api() . place('/', 'auth_api_token r')
--- steps eval
sub {
    my $token = token();
    my $act = sub { is(request(POST => "/$::details->{id}/$_[0]")->{status}, 200, $_[0]) };
    passes('/', $token, 'active');
    $act->('suspend');
    is_bad('/', $token, 'suspended') for 1, 2;
    $act->('activate');
    passes('/', $token, 'active again') for 1, 2;
    $act->('revoke');
    is_bad('/', $token, 'revoked') for 1, 2;
    is(request(DELETE => "/$::details->{id}")->{status}, 200, 'delete');
    is_bad('/', $token, 'deleted') for 1, 2;

    $token = token();
    redis('SET', record(), 'x');
    refused('/', $token, 500, error_body('unexpected', 'Something went wrong on the server.'), undef, 'a record of the wrong type');
    redis('DEL', record());
    redis('HSET', record(), 'account_id', $account);
    is_bad('/', $token, 'a record without a status');
    redis('DEL', record());
}
--- error_log
answered: WRONGTYPE
