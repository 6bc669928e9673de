use ApiToken;

plan 'no_plan';

our $shown = join ' ', map { "\$api_token_$_" } qw(id account_id environment_id scope expires_at admin_user_id);
our $echo  = qq(server { listen unix:$ENV{TEST_NGINX_KEYS}/echo.sock; location / { return 200 "\$http_x_identity"; } });
our $place = qq(location = /in { auth_api_token r; proxy_set_header X-Identity "$shown"; proxy_pass http://unix:$ENV{TEST_NGINX_KEYS}/echo.sock; });

sub log_lines {
    open my $log, '<', "$ENV{TEST_NGINX_KEYS}/access.log" or return;
    my @lines = <$log>;
    chomp @lines;
    return @lines;
}

sub last_line {
    for (1 .. 40) {
        my @lines = log_lines();
        return $lines[-1] if @lines > $main::lines;
        select undef, undef, undef, 0.02;
    }
    return '(none)';
}

sub logged { my $ask = shift; $main::lines = () = log_lines(); $ask->(); return last_line() }

our $log = "log_format t '$shown \$api_token_error'; log_format audit '\$api_token_action \$api_token_target_id \$api_token_actor_id \$api_token_created_id \$status'";

run_tests();

__DATA__

=== TEST 1: who was let in, for an upstream, which never sees what a client says of itself
--- http_config eval: checks('api_token_cache zone=t:1m') . $::echo
--- config eval: api() . $::place
--- steps eval
sub {
    my ($token, $details) = new_token({token_scope => 'environment', environment_id => $environment});
    my $expected = "$details->{id} $account $environment environment $details->{expires_at}";
    for my $round ('asked', 'known') {
        my $answer = ask('/in', {Authorization => "Bearer $token", 'X-Identity' => 'somebody else'});
        is($answer->{content}, $expected, $round);
    }
    my ($of_account, $its) = new_token();
    is(ask('/in', $of_account)->{content}, "$its->{id} $account  account $its->{expires_at}", 'an account');
}



=== TEST 2: of whom was refused, nothing but why
--- http_config eval: $::log . ';' . checks('api_token_cache zone=t:1m', 'api_token_issuer i', 'api_token_audience a')
--- config eval
api('api_token_issuer i', 'api_token_audience a') . qq(
    location = /in { auth_api_token r; access_log $ENV{TEST_NGINX_KEYS}/access.log t; proxy_pass http://behind; }
    location = /scope { auth_api_token r scope=environment; access_log $ENV{TEST_NGINX_KEYS}/access.log t; proxy_pass http://behind; }
    location = /page { auth_api_token r; error_page 401 = /other; access_log $ENV{TEST_NGINX_KEYS}/access.log t; proxy_pass http://behind; }
    location = /other { access_log $ENV{TEST_NGINX_KEYS}/access.log t; return 200 other; }
    location = /off { access_log $ENV{TEST_NGINX_KEYS}/access.log t; proxy_pass http://behind; })
--- steps eval
sub {
    my ($token, $details) = new_token();
    my $word = sub {
        my ($word, $with, $path) = @_;
        is(logged(sub { ask($path // '/in', $with) }), "      $word", $word || 'off');
    };
    my %claims = %{json((jwt($token))[1])};
    my $signed = sub { sign({%claims, @_}) };
    $word->('', $token, '/off');
    $word->(missing => undef);
    $word->(missing => undef, '/page');
    $word->(malformed => 'x.y');
    $word->(key => sign(\%claims, '{"alg":"HS384","typ":"JWT"}'));
    $word->(signature => substr($token, 0, -6) . 'AAAAAA');
    $word->(issuer => $signed->(iss => 'other'));
    $word->(audience => $signed->(aud => 'other'));
    $word->(expired => $signed->(exp => 1));
    $word->(early => $signed->(nbf => time + 1000));
    $word->(unknown => $signed->(jti => '0' x 10 . '3nqk8n' . '0' x 16));
    $word->(scope => $token, '/scope');
    is(logged(sub { ask('/in', $token) }), "$details->{id} $account  account $details->{expires_at}  ", 'let in');
    request(POST => "/$details->{id}/suspend", '');
    $word->(suspended => $token);
    request(POST => "/$details->{id}/revoke", '');
    $word->(revoked => $token);
    my ($other) = new_token();
    signal_redis('KILL');
    select undef, undef, undef, 0.1;
    $word->(unavailable => $other);
    restart_redis();
}
--- error_log
revocations are not heard
requests that need it are answered 503



=== TEST 3: before the check, what the token says: a limit per token
--- http_config eval: 'limit_req_zone $api_token_id zone=per_token:1m rate=1r/m;' . checks('api_token_cache zone=t:1m')
--- config eval: api() . 'location = /in { limit_req zone=per_token; auth_api_token r; proxy_pass http://behind; }'
--- steps eval
sub {
    my @tokens = map { (new_token())[0] } 1, 2;
    my $forged = substr($tokens[0], 0, -6) . 'AAAAAA';
    is(join(' ', map { ask('/in', $_)->{status} } @tokens, @tokens), '200 200 503 503', 'each its own');
    is(join(' ', map { ask('/in', $forged)->{status} } 1 .. 3), '401 401 401', 'a forged one has no id, and no limit');
}
--- error_log
limiting requests



=== TEST 4: an audit line
--- http_config eval: $::log . ';' . checks()
--- config eval
api('api_token_caller account=$http_x_account admin_user=$http_x_admin', "access_log $ENV{TEST_NGINX_KEYS}/access.log audit")
--- steps eval
sub {
    my %caller = ('X-Account' => $account);
    my $created = logged(sub { post('{"token_scope":"account"}', \%caller) });
    like($created, qr/^create ($pfid) $account \1 200$/, 'create');
    my ($id) = $created =~ /^create (\S+)/;
    my %as = (suspend => 'suspend', activate => 'activate', revoke => 'revoke');
    is(logged(sub { request(POST => "/$id/$_", '', \%caller) }), "$_ $id $account  200", $_) for qw(suspend activate revoke);
    is(logged(sub { request(GET => "/$id", undef, \%caller) }), "retrieve $id $account  200", 'retrieve');
    is(logged(sub { request(GET => '', undef, {%caller, 'X-Admin' => $admin_user}) }), "list  $admin_user  200", 'list, by an admin');
    is(logged(sub { request(DELETE => "/$id", undef, \%caller) }), "delete $id $account  200", 'delete');
    is(logged(sub { request(POST => '', '{}', {}) }), '    401', 'nobody');
}
