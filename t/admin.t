use ApiToken;

workers(2);
master_on();
no_root_location();
plan 'no_plan';

our $other     = $account =~ s/f$/g/r;
our $bad       = error_body('bad_authtoken', 'The token is not valid.');
our $forbidden = error_body('not_permitted', 'The caller is not permitted to do this.');

our $admin_key   = write_key('admin.jwk', test_key('hs384', {alg => 'HS256'}));
our $second_key  = write_key('second.jwk', test_key('hs512', {alg => 'HS256'}));
our %admin       = (sub => $admin_user, exp => time + 3600);
our $api_and_all = api("api_token_admin_key $admin_key", 'auth_api_token r') =~ s/ *api_token_caller .*\n//r;

sub admin {
    my ($claims, $key) = @_;
    return sign({%::admin, %{$claims // {}}}, undef, $key // 'hs384');
}

sub by { return {Authorization => 'Bearer ' . admin(@_)} }

# what a create makes of this
sub creates {
    my ($headers, $fields, $name) = @_;
    my $answer = post({token_scope => 'account', %$fields}, $headers);
    is($answer->{status}, 200, "$name: status") or return {};
    return json($answer->{content})->{details};
}

sub is_bad {
    my ($token, $name) = @_;
    my $answer = post({token_scope => 'account'}, {Authorization => "Bearer $token"});
    is_answer($answer, 401, $::bad, $name);
    is($answer->{headers}{'www-authenticate'}, 'Bearer realm="r", error="invalid_token"', "$name: challenge");
}

run_tests();

__DATA__

=== TEST 1: an admin of one account acts for it and for no other
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::api_and_all
--- steps eval
sub {
    my $by = by({account_id => $account});
    for my $fields ({}, {account_id => undef}, {account_id => $account}) {
        my $details = creates($by, $fields, 'create');
        is("@$details{qw(account_id created_by_admin_user_id)}", "$account $admin_user", "of the account, by the admin");
        is(redis('HGET', 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}", 'created_by_admin_user_id'), $admin_user, 'as in Redis');
    }
    is_answer(post({token_scope => 'account', account_id => $::other}, $by), 403, $::forbidden, "another's");
    my $theirs = creates(by({account_id => $::other}), {}, "another account's admin");
    is(request(GET => "/$theirs->{id}", undef, $by)->{status}, 404, "another's token is not there");
    is(request(POST => "/$theirs->{id}/revoke", undef, $by)->{status}, 404, 'nor can it be revoked');
    is(request(GET => "?account_id=$::other", undef, $by)->{status}, 403, "another's list");
    is(json(request(GET => '', undef, $by)->{content})->{pagination}{item_count}, 3, 'its own list');
}



=== TEST 2: an admin without account_id acts for whichever account is named
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval: $::api_and_all
--- steps eval
sub {
    my $by = by();
    for my $account ($account, $::other) {
        redis('FLUSHALL');
        my $details = creates($by, {account_id => $account}, 'create');
        is("@$details{qw(account_id created_by_admin_user_id)}", "$account $admin_user", 'of the account, by the admin');
        is(json(request(GET => "?account_id=$account", undef, $by)->{content})->{summaries}[0]{id}, $details->{id}, 'list');
        is(request(GET => "/$details->{id}", undef, $by)->{status}, 200, 'retrieve');
        is(request(POST => "/$details->{id}/revoke", undef, $by)->{status}, 200, 'revoke');
        is(request(DELETE => "/$details->{id}", undef, $by)->{status}, 200, 'delete');
    }
    is_answer(post({token_scope => 'account'}, $by), 422, invalid('{"account_id":["is required"]}'), 'none is named');
    is(request(GET => '', undef, $by)->{status}, 400, 'none is named for a list');
}



=== TEST 3: what an admin's JWT must say
--- http_config eval: checks('api_token_cache zone=t:1m', 'api_token_issuer us', 'api_token_audience here')
--- config eval: $::api_and_all
--- steps eval
sub {
    my %claims = (%::admin, account_id => $account);
    my $without = sub { my %some = %claims; delete @some{@_}; sign(\%some, undef, 'hs384') };
    my $claims = JSON::PP->new->canonical->encode(\%claims);
    is(post('{"token_scope":"account"}', by(\%claims))->{status}, 200, 'it is right, without the issuer and the audience of API tokens');
    is_bad($without->('exp'), 'no exp');
    is_bad($without->('sub'), 'no sub');
    is_bad(admin({%claims, exp => $_}), 'exp: ' . ($_ // 'null')) for undef, 'x', "$claims{exp}", JSON::PP::true, [], {}, 0, -1, time - 1, 1e300;
    is_bad(sign($claims =~ s/"exp":\d+/"exp":$_/r, undef, 'hs384'), "exp: $_") for '1e400', '9223372036854775808', '1e19';
    is_bad(sign($claims =~ s/\{/{$_,/r, undef, 'hs384'), "$_ besides") for '"exp":9999999999', '"\u0065xp":1', '"sub":"x"', '"nbf":9999999999', '"x":"\u0000y","x":1';
    is(post('{"token_scope":"account"}', {Authorization => 'Bearer ' . sign($claims =~ s/\{/{$_,/r, undef, 'hs384')})->{status}, 200, "$_ besides") for '"x":18446744073709551615', '"x":"\u0000"';
    is_bad(admin({%claims, sub => $_}), 'sub: ' . ($_ // 'null')) for undef, '', 'admin', uc $admin_user, 1, [$admin_user];
    is_bad(admin({%claims, account_id => $_}), 'account_id: ' . $_) for '', 'any', uc $account, 1, [$account], JSON::PP::false;
    is_bad(sign(\%claims, $_, 'hs384'), "header $_") for '{"alg":"none"}', '{"alg":"HS384"}', '{"alg":"HS256","kid":"x"}', '{"alg":"HS256","crit":["exp"]}', '{}';
    is_bad(sign(\%claims, undef, 'hs512'), 'by a key of nobody');
    is_bad(sign({%claims, iss => 'us', aud => 'here'}), 'by the key of API tokens');
    is_bad(sign({%claims, iss => 'us', aud => 'here', jti => $account, token_scope => 'account', sub => $account}), 'as an unknown API token');
    is(post('{"token_scope":"account"}', by({%claims, %$_}))->{status}, 200, 'what else it says')
        for {iat => 'x'}, {jti => 1}, {token_scope => 'environment'}, {exp => 1.9e9 + 0.5}, {nbf => 0};
}



=== TEST 4: issuer= and audience=, of each key its own
--- http_config eval: checks('api_token_cache zone=t:1m')
--- config eval
api("api_token_admin_key $::admin_key issuer=https://a.example audience=tokens", "api_token_admin_key $::second_key audience=x", 'auth_api_token r') =~ s/ *api_token_caller .*\n//r
--- steps eval
sub {
    my %right = (iss => 'https://a.example', aud => 'tokens');
    is(request(GET => "?account_id=$account", undef, by($_))->{status}, 200, 'right')
        for \%right, {%right, aud => ['x', 'tokens']}, {%right, more => 1};
    is(request(GET => "?account_id=$account", undef, by($_, 'hs512'))->{status}, 200, 'right for the second key')
        for {aud => 'x'}, {aud => ['x'], iss => 'whoever'};
    is_bad(admin($_), 'wrong: ' . join ' ', map { ref || $_ } %$_)
        for {}, {iss => 'https://a.example'}, {aud => 'tokens'}, {%right, iss => 'https://a.example/'}, {%right, aud => 'x'}, {%right, aud => []}, {%right, aud => ['tokens', 1]}, {%right, iss => ['https://a.example']};
    is_bad(admin($_, 'hs512'), 'wrong for the second key') for {}, {aud => 'tokens'}, \%right;
}



=== TEST 5: an admin passes whatever the scope, and Redis is not asked
--- http_config eval: checks('api_token_cache zone=t:1m', "api_token_admin_key $::admin_key")
--- config eval
join '', map { "location /$_->[0] { auth_api_token r $_->[1]; add_header X-Admin \"\$api_token_admin_user_id \$api_token_account_id \$api_token_id\$api_token_scope\"; proxy_pass http://behind; }\n" }
    ['any', ''], ['account', 'scope=account'], ['environment', 'scope=environment']
--- steps eval
sub {
    redis_calls();
    for my $path ('/any', '/account', '/environment', '/any') {
        my $answer = ask($path, admin());
        is("$answer->{status} $answer->{content} $answer->{headers}{'x-admin'}", "200 in $admin_user  ", $path);
        $answer = ask($path, admin({account_id => $account}));
        is("$answer->{status} $answer->{content} $answer->{headers}{'x-admin'}", "200 in $admin_user $account ", "$path, for an account");
    }
    is_deeply(redis_calls(), {}, 'Redis was not asked');
    my $soon = admin({exp => time + 2});
    is(ask('/any', $soon)->{status}, 200, 'before its end');
    Time::HiRes::sleep(0.1) while time < json((jwt($soon))[1])->{exp};
    Time::HiRes::sleep(0.1);
    is(ask('/any', $soon)->{status}, 401, 'after it, though it was cached');
}



=== TEST 6: admins' keys alone, and public ones
--- http_config eval
"upstream behind { server unix:$ENV{TEST_NGINX_KEYS}/behind.sock; } server { listen unix:$ENV{TEST_NGINX_KEYS}/behind.sock; location / { return 200 in; } }"
--- config eval
"location / { auth_api_token r; api_token_redis ${\redis_here()}; proxy_pass http://behind; api_token_admin_key " . write_key('public.pem', test_key('rsa_public')) . '; }'
--- steps eval
sub {
    my $input = join '.', map { MIME::Base64::encode_base64url($_) } '{"alg":"RS256"}', JSON::PP->new->encode(\%::admin);
    my ($key, $file) = (write_key('rsa.pem', test_key('rsa_pkcs8')), write_key('input', $input));
    my $signature = `openssl dgst -sha256 -sign $key -binary $file`;
    is(ask('/', "$input." . MIME::Base64::encode_base64url($signature))->{status}, 200, 'an RSA key');
    is(ask('/', "$input." . MIME::Base64::encode_base64url(Digest::SHA::hmac_sha256($input, test_key('rsa_public'))))->{status}, 401, 'is no secret');
    is(ask('/', sign({%::admin}))->{status}, 401, 'and no other is known');
}



=== TEST 7: nobody looks at an admin's JWT where the check is off
--- http_config eval: checks('api_token_cache zone=t:1m', "api_token_admin_key $::admin_key")
--- config eval: api() =~ s/ *api_token_caller .*\n//r
--- steps eval
sub {
    is_answer(post({token_scope => 'account', account_id => $account}, by()), 401, error_body('not_authenticated', 'The request carries no valid credentials.'), 'no auth_api_token');
}

