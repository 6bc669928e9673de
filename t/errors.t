use ApiToken;

plan 'no_plan';

our $too_large     = error_body('bad_request', 'The body is too large.');
our $not_permitted = error_body('not_permitted', 'The caller is not permitted to do this.');
our $nobody        = error_body('not_authenticated', 'The request carries no valid credentials.');
our $busy          = error_body('unexpected', 'The service cannot answer at the moment; try again.');
our $refused       = error_body('bad_request', 'The request was refused.');
our $unreadable    = error_body('bad_request', 'The request cannot be read.');
our $fault         = error_body('unexpected', 'Something went wrong on the server.');

our $create = '{"token_scope":"account"}';

run_tests();

__DATA__

=== TEST 1: a body that is too large, with a length and in chunks
--- config eval: api('client_max_body_size 100')
--- steps eval
sub {
    is_answer(post('{' . ' ' x 98 . '}'), 422, invalid('{"token_scope":["is required"]}'), '100 bytes');
    is_answer(post('{' . ' ' x 99 . '}'), 413, $::too_large, '101 bytes');
    is_answer(request(POST => '', "65\r\n{" . ' ' x 100 . "\r\n0\r\n\r\n", {'Content-Length' => undef, 'Transfer-Encoding' => 'chunked'}),
        413, $::too_large, '101 bytes in a chunk');
    my $head = talk("HEAD /api/v1/api_token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 101\r\n\r\n" . ' ' x 101);
    like($head, qr/^HTTP\/1\.1 413 .*\r\nContent-Type: application\/json\r\nContent-Length: 75\r\n.*\r\n\r\n$/s, 'HEAD has no body');
}



=== TEST 2: a deny, and one with an exception
--- config eval: api('deny all')
--- steps eval
sub {
    is_answer(post($::create), 403, $::not_permitted, 'deny');
    is_answer(request(GET => '/nowhere'), 403, $::not_permitted, 'on every path');
}



=== TEST 3: limit_req: what is too much is told to come back
--- http_config
limit_req_zone $server_name zone=slow:64k rate=1r/m;
limit_req_zone $server_name zone=slower:64k rate=1r/m;
--- config eval: api('limit_req zone=slow')
--- steps eval
sub {
    is(post($::create)->{status}, 200, 'the first');
    my $second = post($::create);
    is_answer($second, 503, $::busy, 'the second');
    like($second->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After');
}
--- error_log
limiting requests, excess



=== TEST 4: statuses that nginx is told to answer with
--- config eval
join '', map { api("return $_") =~ s{location \S+}{location /$_}r } 400, 403, 404, 409, 429, 444, 500, 502, 503, 504
--- steps eval
sub {
    my %bodies = (400 => $::unreadable, 403 => $::not_permitted, 404 => error_body('not_found', 'There is no such token or path.'),
        409 => $::refused, 429 => $::refused, 500 => $::fault, 502 => $::fault, 503 => $::busy, 504 => $::fault);
    for my $status (sort keys %bodies) {
        my ($answer) = answers(talk("GET /$status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        is_answer($answer, $status, $bodies{$status}, $status);
        is($answer->{headers}{'retry-after'}, $status == 503 ? 1 : undef, "$status: Retry-After");
    }
    is(talk("GET /444 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), '', '444 is no answer');
}



=== TEST 5: chunks that cannot be read
--- config eval: api()
--- steps eval
sub {
    is_answer(request(POST => '', "zz\r\n", {'Content-Length' => undef, 'Transfer-Encoding' => 'chunked'}),
        400, $::unreadable, 'a length that is no number');
}



=== TEST 6: credentials that other modules ask for keep their challenge
--- config eval
api('auth_basic "staff"', 'auth_basic_user_file ' . write_key(staff => "joe:{PLAIN}secret\n"))
--- steps eval
sub {
    my $answer = post($::create);
    is_answer($answer, 401, $::nobody, 'no password');
    is($answer->{headers}{'www-authenticate'}, 'Basic realm="staff"', 'challenge');
    is(post($::create, {Authorization => 'Basic am9lOnNlY3JldA=='})->{status}, 200, 'the password');
}



=== TEST 7: an auth_request that fails
--- config eval
api('auth_request /session') . 'location = /session { internal; proxy_pass http://unix:/nonexistent; }'
--- steps eval
sub { is_answer(post($::create), 500, $::fault, 'a fault of ours') }
--- error_log
auth request unexpected status: 502
[crit]



=== TEST 8: an if and a limit_except in the location
--- config eval
api('if ($http_x_block = 1) { return 403; }', 'if ($http_x_block = 2) { add_header X-Seen 1; }', 'limit_except GET POST { deny all; }')
--- steps eval
sub {
    is_answer(post($::create, {'X-Block' => 1}), 403, $::not_permitted, 'if and return');
    my $answer = post($::create, {'X-Block' => 2});
    is("$answer->{status} " . ($answer->{headers}{'x-seen'} // ''), '200 1', 'if without return');
    is(post($::create)->{status}, 200, 'neither');
    is_answer(request(DELETE => ''), 403, $::not_permitted, 'limit_except');
}



=== TEST 9: limit_except that lets the method through after all
--- config eval: api('limit_except GET { allow all; }')
--- steps eval
sub {
    is(post($::create)->{status}, 200, 'POST');
    is_answer(request(PUT => ''), 405, error_body('bad_request', 'The method is not allowed here.'), 'PUT');
}



=== TEST 10: error_page decides otherwise
--- config eval
api('error_page 403 /sorry', 'error_page 413 =400 @large', 'client_max_body_size 10', 'deny all')
    . 'location = /sorry { internal; return 403 "sorry\n"; } location @large { return 400 "large\n"; }'
--- request eval
["POST /api/v1/api_token\n{}", "POST /api/v1/api_token\n$::create"]
--- more_headers
Content-Type: application/json
--- error_code eval: [403, 400]
--- response_body eval: ["sorry\n", "large\n"]



=== TEST 11: other locations keep nginx's own
--- config eval: api() . 'location /other { deny all; }'
--- request
GET /other
--- error_code: 403
--- response_body_like: ^<html>
--- response_headers
Content-Type: text/html
!Cache-Control



=== TEST 12: after an error the connection goes on
--- config eval: api('limit_except POST { deny all; }')
--- pipelined_requests eval
["DELETE /api/v1/api_token", "POST /api/v1/api_token\n{}", "DELETE /api/v1/api_token"]
--- more_headers
Content-Type: application/json
--- error_code eval: [403, 422, 403]
--- response_body eval
[$::not_permitted, invalid('{"token_scope":["is required"]}'), $::not_permitted]



=== TEST 13: an if in a location that is a regular expression
--- config eval
api('if ($http_x_block = 2) { add_header X-Seen 1; }') =~ s{location \S+}{location ~ ^/tenant-\\d+/api_token}r
--- request eval
"POST /tenant-7/api_token\n$::create"
--- more_headers
Content-Type: application/json
X-Block: 2
--- response_headers
X-Seen: 1



=== TEST 14: another module's filter adds to what is refused
--- main_config: load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
--- http_config eval: checks()
--- config eval: api() . 'location /before { auth_api_token r; echo_before_body before; } location /after { auth_api_token r; echo_after_body after; }'
--- steps eval
sub {
    for my $path ('/before', '/after') {
        my @answers = answers(talk(("GET $path HTTP/1.1\r\nHost: x\r\n\r\n") x 3 . "GET /none HTTP/1.0\r\n\r\n"));
        is_deeply([map { $_->{status} } @answers], [401, 401, 401, 404], "$path: one answer ends where the next begins");
        is($answers[$_]{content}, $::nobody, "$path: the body") for 0 .. 2;
    }
}
