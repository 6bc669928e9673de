use ApiToken;
use Tokens;

plan 'no_plan';
no_root_location();

sub not_allowed_here { return error_body('bad_request', 'The method is not allowed here.') }

# a request to any path
sub fetch {
    my ($method, $path, $headers) = @_;
    my $body = $method eq 'POST' ? '{}' : '';
    my %headers = (Host => 'x', Connection => 'close', 'Content-Type' => 'application/json', 'Content-Length' => length $body,
        %{$headers // {}});
    return (answers(talk("$method $path HTTP/1.1\r\n" . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n$body")))[0];
}

# the location of the API under another name
sub api_at {
    my ($name, @directives) = @_;
    my $text = api(@directives);
    $text =~ s{location \S+}{location $name};
    return $text;
}

# all routes of an API whose collection is at this path, by what each does to a token of its own
sub is_served {
    my ($collection, $name) = @_;
    my $below = $collection =~ m{/$} ? $collection : "$collection/";
    is_answer(fetch(GET => "$collection?pagination[page_size]=1"), 200, qr/^\{"pagination":\{/, "$name: list");
    is_answer(fetch(POST => $collection), 422, qr/"token_scope":\["is required"\]/, "$name: create");
    my $id = new_details()->{id};
    is_answer(fetch(GET => "$below$id"), 200, qr/"id":"$id"/, "$name: retrieve");
    for (['suspend', 'suspended'], ['activate', 'active'], ['revoke', 'revoked']) {
        is_answer(fetch(POST => "$below$id/$_->[0]"), 200, qr/"id":"$id".*"status":"$_->[1]"/, "$name: $_->[0]");
    }
    is_answer(fetch(DELETE => "$below$id"), 200, qr/^\{"status":"success"\}$/, "$name: delete");
    is_answer(fetch(GET => "$below$id/api"), 404, not_found(), "$name: another path");
}

run_tests();

__DATA__

=== TEST 1: methods that a path does not have
--- config eval: api()
--- steps eval
sub {
    my $id = new_details()->{id};
    my %paths = ('' => 'GET, HEAD, POST', "/$id" => 'GET, HEAD, DELETE', "/$account" => 'GET, HEAD, DELETE',
        map { ("/$id/$_" => 'POST') } qw(activate revoke suspend));
    for my $path (sort keys %paths) {
        my %allowed = map { $_ => 1 } split /, /, $paths{$path};
        for my $method (grep { !$allowed{$_} } qw(GET POST PUT PATCH DELETE OPTIONS PROPFIND PURGE QUERY)) {
            my $answer = fetch($method, "/api/v1/api_token$path");
            is_answer($answer, 405, not_allowed_here(), "$method $path");
            is($answer->{headers}{allow}, $paths{$path}, "$method $path: Allow");
        }
        next if $allowed{HEAD};
        my $answer = fetch(HEAD => "/api/v1/api_token$path");
        is("$answer->{status} $answer->{headers}{allow} $answer->{headers}{'content-length'}", '405 POST ' . length not_allowed_here(), "HEAD $path");
    }
    is(status_of($id), 'active', 'none of these did anything');
}



=== TEST 2: paths that there are not
--- config eval: "merge_slashes off;\n" . api()
--- steps eval
sub {
    my $id = new_details()->{id};
    my @paths = ('/', '//', "$id", "//$id", "/$id/", "/$id//", "/$id//revoke", "/$id/revoke/", "/$id/revoke/x", "/$id/revoke/$id",
        "/$id/revoke/revoke", "/$id/$id", "/$id/delete", "/$id/Revoke", "/$id/REVOKE", "/$id/revok", "/$id/revokee", "/$id/active",
        "/$id/revoke%20", "/$id/%20revoke", "/$id%20", "/%20$id", "/$id/revoke;x=1", "/$id;x=1", "/$id.json", "/$id%0A", "/$id%3Fx",
        '/' . uc $id, '/' . $id =~ s/([a-z])/\U$1/r, '/' . substr($id, 0, 31), "/${id}0", '/8' . substr($id, 1), '/' . substr($id, 0, 31) . 'u',
        '/' . substr($id, 0, 31) . '%C3%A9', 's', "s/$id", "x/$id", "x$id", "x$id/revoke", '_', '/list', '/create', '/*', '/null', '/undefined',
        "/$id$id", '/' . 'x' x 2000, "/$id/revoke/" . 'x' x 2000);
    for my $path (@paths) {
        my $name = substr $path, 0, 80;
        is_answer(fetch($_, "/api/v1/api_token$path"), 404, not_found(), "$_ $name") for qw(GET POST DELETE PUT);
    }
    is(status_of($id), 'active', 'none of these did anything');
}



=== TEST 3: nginx reads a path first: what it decodes and merges is the path
--- config eval: api()
--- steps eval
sub {
    my $id = new_details()->{id};
    my $encoded = join '', map { sprintf '%%%02x', ord } split //, $id;
    is_answer(fetch(GET => "/api/v1/$_"), 200, qr/"id":"$id"/, $_)
        for "api_token/$encoded", "api%5Ftoken/$id", "./api_token/x/../$id", "api_token//$id", "/api_token/$id?", "api_token/$id#x";
    is_answer(fetch(GET => "http://elsewhere/api/v1/api_token/$id"), 200, qr/"id":"$id"/, 'an absolute URL');
    is_answer(fetch(GET => "/api/v1/api_token/$_"), 404, not_found(), $_) for '', "$id/", uc($id), "$id%2F", "$id/..";
}



=== TEST 4: HEAD is GET without the body
--- config eval: api()
--- steps eval
sub {
    my $id = new_details()->{id};
    (my $missing = $id) =~ s/.{8}$/00000000/;
    for my $path ('', '?pagination[page_size]=1', "/$id", "/$missing", '?x=1', '/nowhere', "/$id/", "?account_id=$stranger", "/$id/revoke") {
        my ($get, $head) = map {
            my $text = talk("$_ /api/v1/api_token$path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            $text =~ s/^Date: .*\r\n//m;
            $text
        } qw(GET HEAD);
        my ($headers, $body) = $get =~ /^(.*?\r\n\r\n)(.*)$/s;
        is($head, $headers, "HEAD $path");
        cmp_ok(length $body, '>', 40, "GET $path has a body");
    }
}



=== TEST 5: who is nobody learns nothing else
--- config eval: api(any_caller())
--- steps eval
sub {
    my $id = new_details({}, as($account))->{id};
    my $nobody = error_body('not_authenticated', 'The request carries no valid credentials.');
    for my $path ('', '/', "/$id", '/nowhere', "/$id/revoke", "/$id/enable", "/$id/", '?x=1', "?account_id=$stranger") {
        for my $method (qw(GET POST PUT DELETE OPTIONS)) {
            my $answer = fetch($method, "/api/v1/api_token$path", {'Content-Type' => 'text/plain'});
            is_answer($answer, 401, $nobody, "$method $path");
            is("$answer->{headers}{'www-authenticate'} " . ($answer->{headers}{allow} // '-'), 'Bearer realm="api_token" -', "$method $path: headers");
        }
    }
    is(status_of($id, as($account)), 'active', 'none of these did anything');
}



=== TEST 6: locations of each kind
--- config eval
"merge_slashes off;\n" . api()
. api_at('/internal/api_token') . api_at('^~ /first/api_token') . api_at('/slash/api_token/') . api_at('/')
. api_at('= /exact/api_token') . api_at('~ ^/exact/api_token/[^/]+')
. api_at('~ ^/tenants/\d+/api_token(?:/|$)') . api_at('~ ^/below/api_token/') . api_at('~ /deep/api_token')
. 'location /outer/ { ' . api_at('/outer/api_token') . ' }'
. api_at('/if/api_token', 'if ($arg_x) { set $y 1; }') . api_at('~ ^/if/(\d)/api_token', 'if ($arg_x) { set $y 1; }')
. api_at('/limit/api_token', 'limit_except GET HEAD { allow 127.0.0.1; deny all; }')
--- steps eval
sub {
    is_served('/internal/api_token', 'a prefix');
    is_served('/first/api_token', 'a prefix that comes before expressions');
    is_served('/slash/api_token/', 'a prefix with a slash at its end');
    is_served('/exact/api_token', 'an exact one with an expression beside it');
    is_served('/tenants/42/api_token', 'an expression');
    is_served('/api_token/deep/api_token', 'an expression, the segment is there twice');
    is_served('/outer/api_token', 'one that is nested');
    is_served('/if/api_token', 'one with an if that is false');
    is_served('/limit/api_token', 'one with limit_except');
    is_served('/', 'the root');

    my $id = new_details()->{id};
    is_answer(fetch(GET => "/below/api_token/$id"), 200, qr/"id":"$id"/, 'an expression with a slash at its end');
    is_answer(fetch(GET => "/if/$_"), 200, qr/"id":"$id"/, "an if that is true, /if/$_") for "api_token/$id?x=1", "5/api_token/$id?x=1";
    is_answer(fetch(GET => $_), 404, not_found(), $_)
        for "/slash/api_token//$id", "/slash/api_token/$id/", '/slash/api_token//', "/internal/api_token//$id", '/internal/api_token/',
            "/tenants/42/api_token//$id", '/tenants/42/api_token/', "/exact/api_token/$id/", "/below/api_token//$id", "/deep/api_token$id", '/tenants/x/api_token',
            "//$id", '/exact/api_token/';
}



=== TEST 7: a path that is rewritten after a variable has looked at the request
--- config eval: api('auth_api_token r', 'set $early $api_token_id', 'rewrite ^(.*)/disable$ $1/suspend break', 'add_header X-Action $api_token_action')
--- steps eval
sub {
    my ($token) = new_token();
    my (undef, $details) = new_token();
    my $answer = request(POST => "/$details->{id}/disable", undef, {Authorization => "Bearer $token"});
    is("$answer->{status} $answer->{headers}{'x-action'}", '200 suspend', 'is the one that counts');
}



=== TEST 8: the same where the check refuses
--- http_config eval: checks()
--- config eval
'auth_api_token r; set $early $api_token_id;' . api('rewrite ^(.*)/disable$ $1/suspend break', 'add_header X-Action "$api_token_action $api_token_target_id" always')
--- steps eval
sub {
    for my $segment ('disable', 'suspend') {
        my $answer = request(POST => "/$account/$segment", undef, {Authorization => 'Bearer x'});
        is("$answer->{status} $answer->{headers}{'x-action'}", "401 suspend $account", $segment);
    }
}



=== TEST 9: a location that is named by something else than its path
--- config eval
api() . 'location /named/api_token { try_files /nonexistent @api; }' . api_at('@api') . api_at('~* ^/case/api_token') . api_at('~ ^/(?:tokens|0)')
--- steps eval
sub {
    my (undef, $details) = new_token();
    is(fetch(GET => '/named/api_token')->{status}, 200, '@api: the collection');
    is(fetch(GET => "/named/api_token/$details->{id}")->{status}, 200, '@api: a token');
    is(fetch(GET => "/case/api_token/$details->{id}")->{status}, 200, 'in lower case');
    for my $path ('/case/API_TOKEN', '/tokens') {
        is(fetch(@$_)->{status}, 404, "@$_") for [GET => $path], [GET => "$path/$details->{id}"], [POST => $path], [POST => "$path/$details->{id}/revoke"];
    }
    is(fetch(GET => "/$details->{id}")->{status}, 404, 'behind no name');
    is(fetch(GET => "/named/api_token/$details->{id}")->{content} =~ /"active"/, 1, 'it is as it was');
}
