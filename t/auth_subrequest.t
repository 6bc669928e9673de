use ApiToken;

workers(2);
master_on();
plan 'no_plan';

our $large   = join '', map { sprintf "%07d\n", $_ } 1 .. 700;
our $missing = error_body('not_authenticated', 'The request carries no valid credentials.');

sub is_status {
    my ($path, $with, $status, $name) = @_;
    my $answer = ask($path, $with);
    is($answer->{status}, $status, $name);
    return $answer;
}

# of an HTTP/1.0 answer, which has no chunks
sub content {
    my ($path, $with) = @_;
    return talk("GET $path HTTP/1.0\r\n" . ($with ? "Authorization: Bearer $with\r\n" : '') . "\r\n") =~ s/^.*?\r\n\r\n//sr;
}

run_tests();

__DATA__

=== TEST 1: auth_request asks a location that is checked
--- http_config eval: checks()
--- config eval
api() . 'location /site { auth_request /check; proxy_pass http://behind; }
    location = /check { internal; auth_api_token r; proxy_pass http://behind; }
    location /scoped { auth_request /check-scope; proxy_pass http://behind; }
    location = /check-scope { internal; auth_api_token r scope=environment; proxy_pass http://behind; }
    location /both { auth_api_token r; auth_request /check; proxy_pass http://behind; }
    location /inherited { auth_api_token r; auth_request /inherited/check; proxy_pass http://behind; location = /inherited/check { proxy_pass http://behind; } }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    for my $path ('/site', '/both', '/inherited') {
        my $answer = is_status($path, undef, 401, "$path: no credentials");
        like($answer->{headers}{'www-authenticate'}, qr/^Bearer realm="r"/, "$path: the challenge comes through");
        is_status($path, 'x', 401, "$path: a bad token");
        is_status($path, $token, 200, "$path: a token, which Redis is asked of");
    }
    is_status('/scoped', $token, 403, 'of the wrong scope');
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    is_status($_, $token, 401, "$_: revoked") for '/site', '/both', '/inherited', '/scoped';
}



=== TEST 2: the same where the cache knows
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . 'location /site { auth_request /check; proxy_pass http://behind; } location = /check { internal; auth_api_token r; proxy_pass http://behind; }
    location /direct { auth_api_token r; proxy_pass http://behind; }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    is_status('/direct', $token, 200, 'known from a main request');
    redis_calls();
    is_status('/site', $token, 200, 'to a subrequest too') for 1 .. 3;
    is_deeply(redis_calls(), {}, 'which asks nobody');
    my ($second) = new_token();
    is_status('/site', $second, 200, 'known from a subrequest');
    redis_calls();
    is_status('/direct', $second, 200, 'to a main request too');
    is_deeply(redis_calls(), {}, 'which asks nobody');
    is(request(POST => "/$details->{id}/suspend")->{status}, 200, 'suspend');
    is_status('/site', $token, 401, 'suspended') for 1, 2;
}



=== TEST 3: a mirror goes only where the token lets it
--- http_config eval
checks('api_token_cache zone=t:1m') . "log_format seen '\$request_uri \$api_token_error';
    server { listen unix:$ENV{TEST_NGINX_KEYS}/mirror.sock; access_log logs/mirror.log seen; location / { return 200; } }"
--- config eval
api() . "location /site { mirror /mirror; proxy_pass http://behind; }
    location = /mirror { internal; auth_api_token r; proxy_pass http://unix:$ENV{TEST_NGINX_KEYS}/mirror.sock:/\$arg_n; }"
--- steps eval
sub {
    my ($token) = new_token();
    is_status('/site?n=none', undef, 200, 'the request itself is not checked');
    is_status('/site?n=bad', 'x', 200, 'a bad token');
    is_status("/site?n=$_", $token, 200, "token $_") for 'asked', 'known';
    my $log = Test::Nginx::Util::server_root() . '/logs/mirror.log';
    for (1 .. 100) {
        last if -s $log && `wc -l <$log` == 2;
        Time::HiRes::sleep(0.01);
    }
    open my $in, '<', $log or die "$log: $!\n";
    is(join('', sort <$in>), "/asked \n/known \n", 'what came through');
}



=== TEST 4: SSI includes only what the token lets it
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . 'location /page { ssi on; }
    location /secret { auth_api_token r; proxy_pass http://behind; } location /scoped { auth_api_token r scope=environment; proxy_pass http://behind; }
    location /open { proxy_pass http://behind; } location /named { error_page 404 = @checked; return 404; } location @checked { auth_api_token r; proxy_pass http://behind; }
    location /realm { auth_api_token $arg_realm; proxy_pass http://behind; } location /token { auth_api_token r token=$arg_t; proxy_pass http://behind; }'
--- user_files
>>> page.html
<!--#include virtual="/open" -->, <!--#include virtual="/secret" -->, <!--#include virtual="/secret" -->.
>>> page-wait.html
<!--#include virtual="/secret" wait="yes" -->, <!--#include virtual="/open" -->.
>>> page-scope.html
<!--#include virtual="/scoped" -->.
>>> page-named.html
<!--#include virtual="/named" -->.
>>> page-off.html
<!--#include virtual="/realm?realm=off" -->.
>>> page-on.html
<!--#include virtual="/realm?realm=on" -->.
--- steps eval
sub {
    my ($token) = new_token();
    my ($second) = new_token();
    is(content('/page.html'), "in, $::missing, $::missing.\n", 'what is refused says so in its place');
    for (['/page.html', 'in, in, in.'], ['/page-wait.html', 'in, in.'], ['/page-named.html', 'in.']) {
        my ($path, $whole) = @$_;
        is(content($path, $token), "$whole\n", "$path: a token");
        is(content($path, $second), "$whole\n", "$path: another one");
        my $parts = () = $whole =~ /in/g;
        for my $with (undef, 'x', substr($token, 0, -4) . 'AAAA') {
            my $text = content($path, $with);
            my $open = $path =~ /named/ ? 0 : 1;
            is(scalar(() = $text =~ /\bin\b(?=[,.])/g), $open, "$path: only what is open, with " . ($with // 'no token'));
        }
    }
    unlike(content('/page-scope.html', $token), qr/^in/, 'of the wrong scope');
    is(content('/page-off.html'), "in.\n", 'off by its realm');
    unlike(content('/page-on.html'), qr/^in/, 'on by its realm');
}



=== TEST 5: what answers by return, or leads elsewhere, is checked first
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api() . 'location /site { auth_request /check; proxy_pass http://behind; } location = /check { internal; auth_api_token r; return 204; }
    location /led { auth_request /leads; proxy_pass http://behind; } location = /leads { internal; auth_api_token r; rewrite ^ /open last; } location = /open { return 204; }
    location /other { auth_request /wants; proxy_pass http://behind; } location = /wants { internal; auth_api_token r; rewrite ^ /environment last; }
    location = /environment { internal; auth_api_token r scope=environment; return 204; }
    location /off { auth_request /offs; proxy_pass http://behind; } location = /offs { internal; set $realm off; auth_api_token $realm; proxy_pass http://behind; }
    location /set { auth_request /sets; proxy_pass http://behind; } location = /sets { internal; set $token $cookie_t; auth_api_token r token=$token; proxy_pass http://behind; }
    location /sent { auth_request /by-cookie; proxy_pass http://behind; } location = /by-cookie { internal; auth_api_token r token=$cookie_t; return 204; }'
--- steps eval
sub {
    my ($token, $details) = new_token();
    for my $path ('/site', '/led', '/other') {
        my $answer = is_status($path, undef, 401, "$path: no credentials");
        is($answer->{headers}{'www-authenticate'}, 'Bearer realm="r"', "$path: the challenge");
        is_status($path, 'x', 401, "$path: a bad token");
        is_status($path, $token, $path eq '/other' ? 403 : 200, "$path: a token, $_") for 'asked', 'known';
    }
    is_status('/off', undef, 200, 'off by a realm that the location sets');
    is_status('/set', {Cookie => "t=$token"}, 200, 'a token that the location sets');
    is_status('/set', {Cookie => 't=x', Authorization => "Bearer $token"}, 401, 'a bad one');
    is_status('/sent', {Cookie => "t=$token"}, 200, 'a token that the client sends');
    is_status('/sent', $_, 401, 'a bad one') for {Cookie => 't=x'}, $token;
    is(request(POST => "/$details->{id}/suspend")->{status}, 200, 'suspend');
    is_status($_, $token, 401, "$_: suspended") for '/site', '/led', '/other';
}



=== TEST 6: who was let in is not let in where a rewrite leads to, nor known there
--- http_config eval: checks()
--- config eval
write_key('es256.jwk', test_key('es256'));
api() . 'location /page { ssi on; }
    location = /api { auth_api_token r; rewrite ^ /other/api_token last; }
    location = /id { auth_api_token r; rewrite ^ /off last; }
    location = /off { set $early $api_token_id; return 200 "[$early$api_token_id]"; }
    location /other/api_token { api_token; api_token_redis ' . redis_here('prefix=other:') . "; api_token_key $ENV{TEST_NGINX_KEYS}/es256.jwk; api_token_caller account=\$http_x_account; }"
--- user_files
>>> page-api.html
<!--#include virtual="/api" -->
>>> page-id.html
<!--#include virtual="/id" -->
--- steps eval
sub {
    my ($token) = new_token();
    is(content('/page-api.html', $token), "$::missing\n", 'an API with other keys');
    is(content('/page-id.html', $token), "[]\n", 'a location without the check');
    is(content('/id', $token), '[]', 'as in a request of its own');
}



=== TEST 7: the challenge of an API that is asked by auth_request
--- config eval: (api('api_token_caller account=$http_x_account') =~ s{location \S+}{location /of/api_token}r) . 'location /site { auth_request /of/api_token; root html; }'
--- steps eval
sub {
    for my $path ('/of/api_token', '/site') {
        is(is_status($path, undef, 401, $path)->{headers}{'www-authenticate'}, 'Bearer realm="api_token"', "$path: the challenge");
    }
}



=== TEST 8: what answers by return before its token or realm is known is closed
--- http_config eval: checks()
--- config eval
api() . 'location /page { ssi on; }
    location /site { auth_request /check; proxy_pass http://behind; } location = /check { internal; set $token $cookie_t; auth_api_token r token=$token; return 204; }
    location /realm { auth_request /realms; proxy_pass http://behind; } location = /realms { internal; auth_api_token $http_x_realm; return 204; }
    location /text { set $token $arg_t; auth_api_token r token=$token; return 200 secret; }'
--- user_files
>>> page.html
[<!--#include virtual="/text" -->]
--- steps eval
sub {
    my ($token) = new_token();
    is_status('/site', $_, 500, 'auth_request') for undef, {Cookie => 't=x'}, {Cookie => "t=$token"};
    is_status("/realm", {"X-Realm" => "r"}, 500, 'a realm');
    is_status("/realm", {"X-Realm" => "off"}, 200, 'one that is off');
    is(content('/page.html'), "[]\n", 'an include');
}
--- error_log
a subrequest was answered before auth_api_token had its token or realm



=== TEST 9: what nginx asks for a request that was let in: slices, and what refreshes a cache
--- http_config eval
checks('api_token_cache zone=t:1m') . "proxy_cache_path $ENV{TEST_NGINX_KEYS}/cache keys_zone=pages:1m;
    server { listen unix:$ENV{TEST_NGINX_KEYS}/files.sock; root html; add_header X-Time \$msec; }"
--- config eval
my $proxy = "proxy_cache pages; proxy_http_version 1.1; proxy_pass http://unix:$ENV{TEST_NGINX_KEYS}/files.sock:";
my $slice = 'slice 1k; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range; proxy_cache_valid 206 1h;';
api() . "location /slices { auth_api_token r; $slice $proxy/large.txt; } location /by-cookie { auth_api_token r token=\$cookie_t; $slice $proxy/large.txt; }
    location /stale { auth_api_token r; proxy_cache_valid 1s; proxy_cache_use_stale updating; proxy_cache_background_update on; $proxy/small.txt; }
    location /page { ssi on; }"
--- user_files eval
[['large.txt', $::large], ['small.txt', 'small'], ['page.html', '[<!--#include virtual="/slices" -->]']]
--- steps eval
sub {
    my ($token) = new_token();
    for my $round (1, 2) {
        is(is_status('/slices', $token, 200, 'slices')->{content}, $::large, 'whole');
        is(is_status('/slices', {Authorization => "Bearer $token", Range => 'bytes=900-3099'}, 206, 'a range')->{content}, substr($::large, 900, 2200), 'whole');
        is(is_status('/by-cookie', {Cookie => "t=$token"}, 200, 'by a cookie')->{content}, $::large, 'whole');
        is_status('/slices', 'x', 401, 'a bad token');
        is_status('/by-cookie', $token, 401, 'none');
    }
    my $first = is_status('/stale', $token, 200, 'cached')->{headers}{'x-time'};
    eventually { ask('/stale', $token)->{headers}{'x-time'} ne $first };
    unlike(content('/page.html'), qr/0000001/, 'an include');
}
--- no_error_log
[error]
