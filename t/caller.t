use ApiToken;

plan 'no_plan';

our $other = $account =~ s/f$/g/r;
our $nobody = error_body('not_authenticated', 'The request carries no valid credentials.');
our $forbidden = error_body('not_permitted', 'The caller is not permitted to do this.');

sub is_nobody {
    my ($answer, $name) = @_;
    is_answer($answer, 401, $::nobody, $name);
    is($answer->{headers}{'www-authenticate'}, 'Bearer realm="api_token"', "$name: challenge");
}

sub creates {
    my ($headers, $fields) = @_;
    return post({token_scope => 'account', %{$fields // {}}}, $headers);
}

run_tests();

__DATA__

=== TEST 1: never open by default
--- config eval: api() =~ s/ *api_token_caller .*\n//r
--- steps eval
sub {
    redis('FLUSHALL');
    is_nobody(creates(), 'no credentials');
    is_nobody(creates({Authorization => 'Bearer x'}), 'a token, which nobody looks at here');
    is_nobody(creates({}, {account_id => $account}), 'an account in the body');
    is_nobody(post('no JSON'), 'before the body is looked at');
    is_nobody(post('{}', {'Content-Type' => undef}), 'and before the type');
    is_nobody(request(PUT => ''), 'and before the method');
    is_nobody(request(GET => '/nowhere'), 'and before the path');
    is(redis('DBSIZE'), 0, 'nothing is stored');
}



=== TEST 2: an account from a variable, which comes out empty or as no PFID
--- config eval
api('api_token_caller account=$http_x_account')
--- steps eval
sub {
    is_nobody(creates(), 'no such header');
    is_nobody(creates({'X-Account' => $_}, {account_id => $account}), "'$_'")
        for '', 'x', 'Any', 'anyone', 'any,any', uc $account, "${account}0", substr($account, 1), "8" . substr($account, 1), "$account,$account";
    my $answer = creates({'X-Account' => $account});
    is($answer->{status}, 200, 'a PFID');
    is(json($answer->{content})->{details}{account_id}, $account, 'is the account of the token');
}



=== TEST 3: an account is no other account
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my $answer = creates({}, {account_id => $::other});
    is_answer($answer, 403, $::forbidden, 'another account');
    is($answer->{headers}{'www-authenticate'}, 'Bearer realm="api_token", error="insufficient_scope"', 'challenge');
    is(redis('DBSIZE'), 0, 'nothing is stored');
    is_answer(creates({}, {account_id => $::other, idempotency_key => 'a'}), 403, $::forbidden, 'with an idempotency key');
    is(redis('DBSIZE'), 0, 'nor is that');
    is(creates({}, {account_id => $account})->{status}, 200, 'its own');
    is_answer(creates({}, {account_id => $::other, x => 1}), 422, invalid('{"x":["is not a field of an API token"]}'),
        'what is wrong with the body comes first');
}



=== TEST 4: any account
--- config eval
api('api_token_caller account=any')
--- steps eval
sub {
    for my $id ($account, $::other) {
        my $details = json(creates({}, {account_id => $id})->{content})->{details};
        is($details->{account_id}, $id, "acts for $id");
        is($details->{created_by_admin_user_id}, undef, 'as no admin user');
    }
    is_answer(creates(), 422, invalid('{"account_id":["is required"]}'), 'for none by itself');
}



=== TEST 5: any, from a variable
--- http_config
map $http_x_role $caller { admin any; default ""; }
--- config eval
api('api_token_caller account=$caller')
--- steps eval
sub {
    is(creates({'X-Role' => 'admin'}, {account_id => $account})->{status}, 200, 'any');
    is_nobody(creates({'X-Role' => 'other'}, {account_id => $account}), 'empty');
}



=== TEST 6: an admin user
--- config eval
api('api_token_caller admin_user=$http_x_admin account=$http_x_account')
--- steps eval
sub {
    for my $for ($account, 'any') {
        my $answer = creates({'X-Account' => $for, 'X-Admin' => $admin_user}, {account_id => $account});
        my $details = json($answer->{content})->{details};
        is($details->{created_by_admin_user_id}, $admin_user, "account=$for: stands in the details");
        my $record = 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}";
        is(redis('HGET', $record, 'created_by_admin_user_id'), $admin_user, "account=$for: and in Redis");
    }
    is(json(creates({'X-Account' => $account})->{content})->{details}{created_by_admin_user_id}, undef, 'an empty one is none');
    is_nobody(creates({'X-Account' => $account, 'X-Admin' => $_}), "admin user '$_'")
        for 'any', 'x', uc $admin_user, "$admin_user,$admin_user";
    is_nobody(creates({'X-Admin' => $admin_user}, {account_id => $account}), 'an admin user alone');
    is_answer(creates({'X-Account' => $account, 'X-Admin' => $admin_user}, {account_id => $::other}), 403, $::forbidden,
        "an admin user of one account, for another's");
}



=== TEST 7: an account and a text around the variable
--- config eval
my $start = substr $account, 0, 16;
api("api_token_caller account=$start\$arg_rest")
--- steps eval
sub {
    my $answer = request(POST => '?rest=' . substr($account, 16), '{"token_scope":"account"}');
    is(json($answer->{content})->{details}{account_id}, $account, 'the whole is the account');
    is_nobody(request(POST => '', '{"token_scope":"account"}'), 'a part is none');
}



=== TEST 8: a caller that auth_request has found, and one that it has refused
--- config eval
api('auth_request /session', 'auth_request_set $account $upstream_http_x_account', 'api_token_caller account=$account')
    . "location = /session { internal; proxy_pass http://unix:$ENV{TEST_NGINX_KEYS}/session.sock; }"
--- http_config eval
"server {
    listen unix:$ENV{TEST_NGINX_KEYS}/session.sock;
    location / {
        if (\$http_cookie !~ ^s=) { return 401; }
        add_header X-Account $account;
        return 204;
    }
}"
--- steps eval
sub {
    my $answer = creates({Cookie => 's=1'});
    is(json($answer->{content})->{details}{account_id}, $account, "the session's account");
    is_answer(creates(), 401, $::nobody, 'no session');
}



=== TEST 9: it is for its own location, and not inherited
--- config eval
my $inner = api() =~ s/ *api_token_caller .*\n//r;
(my $outer = api()) =~ s/location \S+/location \/outer/;
$outer =~ s/\}\n$/$inner}/;
$outer =~ s/location \/api\/v1/location \/outer\/v1/g;
$outer
--- request
POST /outer/v1/api_token
{"token_scope":"account"}
--- more_headers
Content-Type: application/json
--- error_code: 401
--- response_body
{"code":"not_authenticated","message":"The request carries no valid credentials.","status":"error"}



=== TEST 10: beside auth_api_token it lets nobody into what is not the API
--- http_config eval: checks()
--- config eval
my @with = ('auth_api_token r', "api_token_caller account=$account");
my $with = join '', map { "$_; " } @with;
api(@with, 'if ($http_x_other) { proxy_pass http://behind; }', 'if ($http_x_same) { set $x y; }', 'limit_except GET { deny all; }')
    . "location /other { $with proxy_pass http://behind; } location /metrics { $with api_token_metrics; } location /introspect { $with api_token_introspect; }"
--- steps eval
sub {
    is(ask($_)->{status}, 401, $_) for '/other', '/metrics';
    is(ask('/api/v1/api_token', {'X-Other' => 1})->{status}, 401, 'an if that leads elsewhere');
    is(ask('/api/v1/api_token', {"X-$_" => 1})->{status}, 200, "the API, $_") for 'Same', 'None';
    is(ask('POST /introspect', {'Content-Type' => 'application/x-www-form-urlencoded', 'Content-Length' => 0})->{status}, 400, 'introspection');
    is(ask('POST /api/v1/api_token', {'Content-Length' => 0})->{status}, 403, 'limit_except');
}



=== TEST 11: with `satisfy any`, who has no token is told of it beside what other modules ask for
--- http_config eval: checks()
--- config eval
my $basic = 'auth_basic_user_file ' . write_key(staff => "joe:{PLAIN}secret\n");
api('satisfy any', 'auth_api_token r', 'auth_basic staff', $basic)
    . "location /introspect { satisfy any; auth_api_token r; auth_basic staff; $basic; api_token_introspect; api_token_caller account=any; }"
    . (api('auth_api_token r', 'auth_basic staff', $basic) =~ s{location \S+}{location /all/api_token}r)
--- steps eval
sub {
    for my $path ('/api/v1/api_token', '/introspect') {
        is(ask($path, $_)->{headers}{'www-authenticate'}, 'Basic realm="staff", Bearer realm="r"', "$path: 401") for undef, {Authorization => 'Basic eDp5'};
        isnt(ask($path, {Authorization => 'Basic am9lOnNlY3JldA=='})->{status}, 401, "$path: the password");
    }
    is(ask('/all/api_token')->{headers}{'www-authenticate'}, 'Basic realm="staff"', 'satisfy all');
    my ($token) = new_token({}, {Authorization => 'Basic am9lOnNlY3JldA=='});
    is(ask('/api/v1/api_token', $token)->{status}, 200, 'a token');
}
