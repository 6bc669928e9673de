use ApiToken;

plan 'no_plan';

our $url    = '/api/v1/api_token';
our $create = '{"token_scope":"account"}';
our $type   = error_body('bad_request', 'The body must be application/json.');
our $method = error_body('bad_request', 'The method is not allowed here.');
our $nobody = error_body('not_found', 'There is no such token or path.');

# the text of a create
sub create {
    my ($headers, $body) = ($_[0] // '', $_[1] // $create);
    return "POST $url HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n$headers\r\n$body";
}

sub statuses { join ' ', map { $_->{status} } answers($_[0]) }

run_tests();

__DATA__

=== TEST 1: methods that a path does not have
--- config eval: api()
--- steps eval
sub {
    for my $name (qw(PUT PATCH DELETE OPTIONS PROPFIND MKCOL FOO)) {
        my $answer = request($name => '');
        is_answer($answer, 405, $::method, $name);
        is($answer->{headers}{allow}, 'GET, HEAD, POST', "$name: Allow");
    }
    my ($path) = map { "/$_" } json(post($::create)->{content})->{details}{id};
    is(request(PUT => $path)->{headers}{allow}, 'GET, HEAD, DELETE', 'Allow of a token');
    is(request(GET => "$path/revoke")->{headers}{allow}, 'POST', 'Allow of a transition');
}



=== TEST 2: HEAD is answered as GET is, without the body
--- config eval: api()
--- steps eval
sub {
    my $id = json(post($::create)->{content})->{details}{id};
    for my $path ('', "/$id", '/nowhere', "/$id/revoke", '?sorting=x') {
        my $get  = request(GET => $path);
        my $head = talk("HEAD $::url$path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        like($head, qr/^HTTP\/1\.1 $get->{status} .*\r\n\r\n$/s, "'$path': status, and nothing behind the head");
        like($head, qr/\r\n$_: \Q$get->{headers}{lc $_}\E\r\n/, "'$path': $_") for qw(Content-Type Content-Length Cache-Control);
    }
}



=== TEST 3: the body's type
--- config eval: api()
--- steps eval
sub {
    is_answer(post($::create, {'Content-Type' => $_}), 415, $::type, $_ // 'none')
        for undef, '', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp',
            'application/json-patch+json', 'application/', 'json', 'text/json', '*/*', 'application/json,text/plain', 'application/json text/plain',
            '; application/json';
    is(post($::create, {'Content-Type' => $_})->{status}, 200, $_)
        for 'application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/json ;x=y', 'application/json;';
}



=== TEST 4: paths that are not there
--- config eval: api()
--- steps eval
sub {
    my $id = json(post($::create)->{content})->{details}{id};
    for my $path ('s', 'x', '/', '//', '/x', '/' . uc $id, "/$id/", "/$id/delete", "/$id/suspend/", "/$id/Suspend", "/$id/x/suspend", "/${id}0",
                  '/' . substr($id, 1), "/$id%2fsuspend/x", '/x/suspend', "/$id;x", '/' . 'x' x 2000) {
        is_answer(request($_ => $path, $::create), 404, $::nobody, "$_ $path") for qw(POST GET);
    }
    is_answer(request(PUT => '/x/y/z'), 404, $::nobody, 'with another method too');
    is(request(POST => '?x=y&z', $::create)->{status}, 200, 'arguments of a create are not looked at');
    is(request(POST => '/../api_token', $::create)->{status}, 200, 'nginx makes the path simple first');
}



=== TEST 5: keep-alive, through successes and errors, bodies that are read and that are not
--- config eval: api()
--- steps eval
sub {
    my $sent = create() . create('', '{}') . create('', '[') . create() =~ s/application\/json/text\/plain/r
        . create() =~ s/POST/PUT/r . create() =~ s/api_token /api_token\/x /r . create('', '') . create();
    my $all = talk($sent . "GET $::url HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    is(statuses($all), '200 422 400 415 405 404 400 200 200', 'in one piece') or diag($all);
    my $nginx = connect_to_nginx();
    for my $body ($::create, '{}', $::create) {
        syswrite $nginx, create('', $body);
        my $text = '';
        sysread $nginx, $text, 65536, length $text until $text =~ /\}\n$/;
        is(statuses($text), $body eq '{}' ? 422 : 200, "one after the other: $body");
    }
}



=== TEST 6: pipelined creates are answered in order
--- config eval: api()
--- steps eval
sub {
    my @times = map { sprintf '2030-01-01T00:00:%02dZ', $_ } 0 .. 49;
    my $sent = join '', map { create($_ eq $times[-1] ? "Connection: close\r\n" : '', qq({"token_scope":"account","expires_at":"$_"})) } @times;
    my @answers = answers(talk($sent));
    is_deeply([map { json($_->{content})->{details}{expires_at} } @answers], \@times, '50 creates');
}



=== TEST 7: a body in chunks
--- config eval: api()
--- steps eval
sub {
    my $head = create("Connection: close\r\n", '') =~ s/Content-Length: 0/Transfer-Encoding: chunked/r;
    my $chunks = sub { join('', map { sprintf("%x\r\n%s\r\n", length, $_) } @_) . "0\r\n" };
    is(statuses(talk($head . $chunks->($::create) . "\r\n")), 200, 'one');
    is(statuses(talk($head . $chunks->(split //, $::create) . "\r\n")), 200, 'one for each byte');
    is(statuses(talk(split //, $head . $chunks->(split //, $::create) . "\r\n")), 200, 'each byte by itself');
    is(statuses(talk($head . $chunks->($::create) . "X-Trailer: y\r\n\r\n")), 200, 'with a trailer');
    is(statuses(talk($head . $chunks->($::create, '}') . "\r\n")), 400, 'text behind the object');
    is(statuses(talk($head . $chunks->() . "\r\n")), 400, 'none');
}



=== TEST 8: a body that comes a byte at a time
--- config eval: api()
--- steps eval
sub {
    is(statuses(talk(split //, create("Connection: close\r\n"))), 200, 'the whole request');
}



=== TEST 9: a body that is in several buffers, or in a file
--- config eval: api('client_body_buffer_size 64')
--- steps eval
sub {
    my $long = sub { '{' . ' ' x $_[0] . '"token_scope":"account"}' };
    is(post($long->($_))->{status}, 200, "$_ spaces") for 0, 38, 39, 40, 41, 100, 5_000, 100_000, 900_000;
    is(statuses(talk(split /(?<=.{50})/s, create("Connection: close\r\n", $long->(1000)))), 200, 'in pieces');
    is_answer(post($long->(100_000) . 'x'), 400, error_body('bad_request',
        'The body must be a JSON object in UTF-8, no member twice.'), 'to the last byte');
    my $id = json(post($long->(100_000))->{content})->{details}{id};
    is(request(GET => "/$id")->{status}, 200, 'and a token is made of it');
}



=== TEST 10: a body that nginx always writes to a file
--- config eval: api('client_body_in_file_only clean')
--- steps eval
sub { is(post($::create)->{status}, 200, 'create') }



=== TEST 11: Expect: 100-continue
--- config eval: api()
--- steps eval
sub {
    my ($head, $body) = create("Expect: 100-continue\r\nConnection: close\r\n") =~ /^(.*\r\n\r\n)(.*)$/s;
    my $nginx = connect_to_nginx();
    syswrite $nginx, $head;
    sysread $nginx, my $interim, 65536;
    is($interim, "HTTP/1.1 100 Continue\r\n\r\n", 'first it is asked for');
    syswrite $nginx, $body;
    is(statuses(do { local $/; <$nginx> }), 200, 'then it is answered');
}



=== TEST 12: Expect: 100-continue of what is refused by its head
--- config eval: api()
--- steps eval
sub {
    my $head = create("Expect: 100-continue\r\nConnection: close\r\n") =~ s/application\/json/text\/plain/r;
    like(talk($head), qr/^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?415 /, 'it is answered');
}



=== TEST 13: HTTP/1.0, without Host and with
--- config eval: api()
--- steps eval
sub {
    my $old = create() =~ s/HTTP\/1\.1/HTTP\/1.0/r;
    is(statuses(talk($old)), 200, 'with Host');
    is(statuses(talk($old =~ s/Host: localhost\r\n//r)), 200, 'without');
    is(statuses(talk(create() =~ s/Host: localhost\r\n//r)), 400, 'HTTP/1.1 without Host is an error, which no location has');
}
--- error_log
client sent HTTP/1.1 request without "Host" header



=== TEST 14: headers that are there twice, are empty or are long
--- http_config
large_client_header_buffers 4 16k;
--- config eval: api()
--- steps eval
sub {
    is(statuses(talk(create("Connection: close\r\n$_"))), 200, s/[\r\n]+/ /gr =~ s/(.{40}).*/$1/r)
        for "Authorization:\r\n", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
            "Authorization: Basic\r\n", 'X-Long: ' . 'x' x 10_000 . "\r\n", join '', map { "X-$_: $_\r\n" } 1 .. 500;
    is(statuses(talk(create("Connection: close\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n"))), 400, 'nginx wants one Authorization');
}



=== TEST 15: a condition does not hold back what was done: only an answer with an entity tag has one
--- config eval: api()
--- steps eval
sub {
    my @conditions = (['If-Match' => '"x"'], ['If-None-Match' => '*'], ['If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:01 GMT'],
                      ['If-Modified-Since' => 'Thu, 01 Jan 2099 00:00:00 GMT'], ['Range' => 'bytes=0-1']);
    for my $condition (@conditions) {
        my %header = @$condition;
        my $answer = post($::create, {'Content-Type' => 'application/json', %header});
        is($answer->{status}, 200, "create: @$condition");
        my $made = json($answer->{content});
        like($made->{token}, qr/^ey/, 'the token');
        for my $request ([GET => ''], [GET => "/$made->{details}{id}"], [POST => "/$made->{details}{id}/revoke"], [DELETE => "/$made->{details}{id}"]) {
            $answer = request($request->[0] => $request->[1], undef, \%header);
            is($answer->{status}, 200, "@$request: @$condition");
            is(json($answer->{content})->{status}, 'success', 'body');
        }
    }
}



=== TEST 16: HTTP/2
--- http_config eval
join '', map { "server { listen unix:$ENV{TEST_NGINX_KEYS}/h2-$_.sock http2; " . api("client_max_body_size $_") . '}' } 50, 100_000
--- config
--- steps eval
sub {
    my $curl = sub {
        my $limit = shift;
        open my $out, '-|', 'curl', '-s', '--http2-prior-knowledge', '--unix-socket', "$ENV{TEST_NGINX_KEYS}/h2-$limit.sock", '-w', '%{http_version} %{http_code}',
            '-H', 'Content-Type: application/json', @_, "http://localhost$::url" or die "curl: $!\n";
        local $/;
        return scalar <$out>;
    };
    like($curl->(50, '-d', $::create), qr/^\{"details":.*,"status":"success","token":"[^"]+"\}\n2 200$/, 'create');
    is($curl->(50, '-d', '{}'), invalid('{"token_scope":["is required"]}') . '2 422', 'refusal');
    is($curl->(50, '-X', 'PUT'), "${main::method}2 405", 'a method that is not there');
    my $long = sub { '@' . write_key(long => '{' . ' ' x $_[0] . '"token_scope":"account"}') };
    like($curl->(100_000, '-d', $long->(50_000)), qr/"status":"success".*\n2 200$/, 'a long body');
    # a curl that is still sending when nginx closes does not always read the answer
    my $refused = '0 000';
    for (1 .. 20) { $refused = $curl->(50, '-d', $long->(30)) if $refused eq '0 000' }
    is($refused, error_body('bad_request', 'The body is too large.') . '2 413', 'a body that is too long');
}
--- error_log
client intended to send too large body



=== TEST 17: an error_page of a body that is too large leads to the API, and the body goes on
--- config eval: api('client_max_body_size 2k', 'error_page 413 /other/api_token') . (api('api_token_redis ' . redis_here('timeout=5s')) =~ s{location \S+}{location /other/api_token}r)
--- steps eval
sub {
    redis('CLIENT', 'PAUSE', 2000, 'ALL');
    my $client = connect_to_nginx();
    my $head = "POST $::url HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for my $piece ($head, "900\r\n" . ' ' x 0x900 . "\r\n", "no size\r\n") {
        syswrite $client, $piece;
        Time::HiRes::sleep(0.1);
    }
    shutdown $client, 1;
    local $/;
    my @answers = answers(<$client>);
    is_deeply([map { $_->{status} } @answers], [200], 'one answer, of where it led to');
}
--- error_log
client intended to send too large chunked body
