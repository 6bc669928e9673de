use ApiToken;

workers(2);
master_on();
no_root_location();
plan 'no_plan';

our $other     = $account =~ s/f$/g/r;
our $missing   = error_body('not_authenticated', 'The request carries no valid credentials.');
our $bad       = error_body('bad_authtoken', 'The token is not valid.');
our $forbidden = error_body('not_permitted', 'The caller is not permitted to do this.');
our $not_found = error_body('not_found', 'There is no such token or path.');

# the API for whoever is named by X-Account, who is nobody without, and for tokens
our $checked = api('auth_api_token r', 'api_token_caller account=$http_x_account');

# a token of an account, made by the caller that nginx has authenticated
sub of {
    my ($account, $fields) = @_;
    my ($token, $details) = new_token($fields, {'X-Account' => $account});
    return ({Authorization => "Bearer $token"}, $details);
}

# every route, upon this token
sub routes {
    my $id = shift;
    return (['POST', '', '{"token_scope":"account"}'], ['GET', ''], ['GET', "/$id"], map({ ['POST', "/$id/$_"] } qw(suspend activate revoke)), ['DELETE', "/$id"]);
}

sub call {
    my ($route, $headers) = @_;
    return request($route->[0], $route->[1], $route->[2], $headers);
}

sub name { join ' ', @{$_[0]}[0, 1] }

sub is_refused {
    my ($answer, $status, $body, $challenge, $name) = @_;
    is_answer($answer, $status, $body, $name);
    is($answer->{headers}{'www-authenticate'}, $challenge, "$name: challenge");
}

run_tests();

__DATA__

=== TEST 1: a token of scope account acts for its own account
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::checked
--- steps eval
sub {
    my ($by, $details) = of($account);
    my ($theirs, $their_details) = of($::other);
    for my $fields ({}, {account_id => undef}, {account_id => $account}, {token_scope => 'environment', environment_id => $environment}) {
        my $answer = post({token_scope => 'account', %$fields}, $by);
        is($answer->{status}, 200, 'create');
        my $made = json($answer->{content})->{details};
        is("$made->{account_id} " . ($made->{created_by_admin_user_id} // 'null'), "$account null", 'for its account, by no admin');
    }
    my $list = json(request(GET => '', undef, $by)->{content});
    cmp_ok(scalar @{$list->{summaries}}, '>=', 5, 'lists tokens');
    is_deeply({map { ($_->{account_id} => 1) } @{$list->{summaries}}}, {$account => 1}, 'all of its account');
    is_refused(post({token_scope => 'account', account_id => $::other}, $by), 403, $::forbidden, 'Bearer realm="r", error="insufficient_scope"', 'a create for another');
    is(request(GET => "?account_id=$::other", undef, $by)->{status}, 403, "another's list");
    is_answer(call($_, $by), 404, $::not_found, name($_) . ": another account's") for grep { length $_->[1] } routes($their_details->{id});
    is(json(request(GET => "/$their_details->{id}", undef, $theirs)->{content})->{details}{status}, 'active', 'which is as it was');

    my ($sibling) = of($account);
    is(request(POST => "/$details->{id}/suspend", undef, $sibling)->{status}, 200, 'suspends another of its account');
    is_refused(request(GET => '', undef, $by), 401, $::bad, 'Bearer realm="r", error="invalid_token"', 'which calls no longer');
    is(request(POST => "/$details->{id}/activate", undef, $sibling)->{status}, 200, 'activates it');
    is(request(POST => "/$details->{id}/revoke", undef, $by)->{status}, 200, 'which revokes itself');
    is_refused(call($_, $by), 401, $::bad, 'Bearer realm="r", error="invalid_token"', name($_) . ": revoked") for routes($details->{id});
}



=== TEST 2: a token of scope environment is not permitted anything
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::checked
--- steps eval
sub {
    my ($by, $details) = of($account, {token_scope => 'environment', environment_id => $environment});
    is_refused(call($_, $by), 403, $::forbidden, 'Bearer realm="r", error="insufficient_scope"', name($_))
        for routes($details->{id}), ['PUT', ''], ['GET', '/nowhere'], ['POST', '', 'no JSON'];
    is(request(GET => "/$details->{id}", undef, {'X-Account' => $account})->{status}, 200, 'nginx\'s own caller is');
    is_refused(request(GET => "/$details->{id}", undef, {%$by, 'X-Account' => $account}), 403, $::forbidden, 'Bearer realm="r", error="insufficient_scope"', 'credentials decide');
}



=== TEST 3: credentials decide before api_token_caller
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::checked
--- steps eval
sub {
    my ($by, $details) = of($account);
    for my $caller ('any', $::other, '', 'x') {
        my %headers = (%$by, 'X-Account' => $caller);
        my $answer = post({token_scope => 'account'}, \%headers);
        is(json($answer->{content})->{details}{account_id}, $account, "the token's account, with the caller '$caller'");
        is_answer(post({token_scope => 'account', account_id => $::other}, \%headers), 403, $::forbidden, 'and no other');
        is_answer(post({token_scope => 'account'}, {'X-Account' => $caller, Authorization => $_}), 401, $::bad, "'$_', with the caller '$caller'")
            for 'Bearer x', "$by->{Authorization}x";
    }
    for my $authorization (undef, '', 'Bearer', 'Bearer ', 'Basic eDp5') {
        my %headers = ($authorization ? (Authorization => $authorization) : ());
        my $answer = post({token_scope => 'account'}, {%headers, 'X-Account' => $::other});
        is(json($answer->{content})->{details}{account_id}, $::other, 'no credentials: the caller, with ' . ($authorization // 'no header'));
        is_refused(post({token_scope => 'account'}, {%headers, 'X-Account' => 'x'}), 401, $::missing, 'Bearer realm="r"', 'nobody');
    }
    is(request(POST => "/$details->{id}/suspend", undef, {'X-Account' => 'any'})->{status}, 200, 'suspend');
    is_answer(post({token_scope => 'account'}, {%$by, 'X-Account' => 'any'}), 401, $::bad, 'a suspended one, with the caller any');
}



=== TEST 4: tokens only
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
join '', map { my ($path, $auth) = @$_; api("auth_api_token $auth") =~ s{location \S+}{location $path}r =~ s/ *api_token_caller .*\n//r }
    ['/api/v1/api_token', 'r'], ['/environment', 'r scope=environment'], ['/arg', 'r token=$arg_t'], ['/realm', '$arg_realm']
--- steps eval
sub {
    is_refused(call($_), 401, $::missing, 'Bearer realm="r"', 'no credentials: ' . name($_)) for routes($account), ['POST', '', 'no JSON'], ['PUT', '/x'];
    my $token = sign({sub => $account, jti => $account, exp => time + 60, token_scope => 'account'});
    my $record = 'api_token:{' . substr($account, 10, 6) . "}:token:$account";
    redis('HSET', $record, 'account_id', $account, 'token_scope', 'account', 'status', 'active', 'inserted_at', 1, 'updated_at', 1, 'expires_at', time + 60);
    is(request(GET => '', undef, {Authorization => "Bearer $token"})->{status}, 200, 'a token');
    is(ask('/environment', $token)->{status}, 403, 'of the wrong scope');
    is(ask('/realm?realm=off', $token)->{status}, 401, 'a realm that is off: nobody looks at the token');
    is(ask("/arg/$account?t=$token")->{status}, 200, 'token=');
    is(ask("/arg/$account", $token)->{status}, 401, 'and only that');
}



=== TEST 5: they decide also where another module lets the request in
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api('satisfy any', 'allow all', 'auth_api_token r', 'api_token_caller account=$http_x_account')
    . "location = /introspect { satisfy any; allow all; auth_api_token r scope=environment; api_token_introspect; api_token_caller account=any; }"
--- steps eval
sub {
    my ($by, $details) = of($account);
    my ($of_environment) = of($account, {token_scope => 'environment', environment_id => $environment});
    my ($revoked, $revoked_details) = of($account);
    is(request(POST => "/$revoked_details->{id}/revoke", undef, $by)->{status}, 200, 'a token decides');
    my $form = {'Content-Type' => 'application/x-www-form-urlencoded', 'Content-Length' => 0};
    for my $caller ($account, $::other, 'any', '') {
        my %headers = ('X-Account' => $caller);
        is_refused(call($_, {%headers, %$revoked}), 401, $::bad, 'Bearer realm="r", error="invalid_token"', name($_) . ": revoked, with the caller '$caller'")
            for routes($details->{id});
        is_refused(request(GET => '', undef, {%headers, Authorization => 'Bearer x.y.z'}), 401, $::bad, 'Bearer realm="r", error="invalid_token"', 'no token');
        is_refused(request(GET => '', undef, {%headers, %$of_environment}), 403, $::forbidden, 'Bearer realm="r", error="insufficient_scope"', 'an environment\'s');
        is_answer(ask('POST /introspect', {%$form, %$revoked}), 401, $::bad, 'introspection');
        is_answer(ask('POST /introspect', {%$form, %$by}), 403, $::forbidden, 'of a scope that may not');
    }
    is(request(GET => "/$details->{id}", undef, $by)->{status}, 200, 'the token is as it was');
    is(request(GET => '', undef, {'X-Account' => $::other})->{status}, 200, 'no credentials: the caller');
    is_refused(request(GET => ''), 401, $::missing, 'Bearer realm="r"', 'nobody');
}
