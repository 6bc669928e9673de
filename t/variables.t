use ApiToken;

workers(1);
master_on();
no_root_location();
plan 'no_plan';

our @names = qw(id account_id environment_id scope expires_at admin_user_id error action target_id actor_id created_id);
our $all   = join ' ', map { "$_=\$api_token_$_" } @names;

our $admin_key = write_key('admin.jwk', test_key('hs384', {alg => 'HS256'}));
our $http = checks('api_token_cache zone=t:1m', "api_token_admin_key $admin_key", "log_format ours '$all'", 'access_log logs/ours.log ours', 'lingering_close off')
    . "server { listen unix:$ENV{TEST_NGINX_KEYS}/echo.sock; access_log off; location / { return 200 \"\$http_x_id|\$http_x_account|\$http_x_scope|\$http_x_admin\"; } }\n";
our $echo = "proxy_pass http://unix:$ENV{TEST_NGINX_KEYS}/echo.sock; proxy_set_header X-Id \$api_token_id; proxy_set_header X-Account \$api_token_account_id;
    proxy_set_header X-Scope \$api_token_scope; proxy_set_header X-Admin \$api_token_admin_user_id;";

our $log = Test::Nginx::Util::server_root() . '/logs/ours.log';

# the variables of the request that this makes, each that is not empty; they are logged before nginx closes the connection
sub logged {
    my $request = shift;
    truncate $log, 0;
    my $answer = $request->();
    open my $in, '<', $log or die "$log: $!\n";
    chomp(my $line = <$in>);
    my %values = map { split /=/, $_, 2 } split / /, $line;
    return ({map { $values{$_} eq '' ? () : ($_ => $values{$_}) } keys %values}, $answer);
}

sub is_logged {
    my ($request, $expected, $name) = @_;
    my ($values, $answer) = logged($request);
    is_deeply($values, $expected, $name) or diag("$answer->{status} $answer->{content}");
    return $answer;
}

sub admin { sign({sub => $admin_user, exp => 1893456000, @_}, undef, 'hs384') }

run_tests();

__DATA__

=== TEST 1: the caller that was let in, in the access log and the headers of a proxied request
--- http_config eval: $::http
--- config eval
api() . "location / { auth_api_token r; $::echo }
    location /off { $::echo } location /realm { auth_api_token \$arg_realm; $::echo }"
--- steps eval
sub {
    my ($token, $details) = new_token();
    my ($second, $environments) = new_token({token_scope => 'environment', environment_id => $environment, expires_at => '2030-01-01T00:00:00.9Z'});
    my %own = (id => $details->{id}, account_id => $account, scope => 'account', expires_at => $details->{expires_at});
    my %theirs = (id => $environments->{id}, account_id => $account, environment_id => $environment, scope => 'environment', expires_at => '2030-01-01T00:00:00Z');
    for ('asked', 'known') {
        is(is_logged(sub { ask('/', $token) }, \%own, "a token of scope account, $_")->{content}, "$own{id}|$account|account|", 'upstream');
        is(is_logged(sub { ask('/', $second) }, \%theirs, "one of scope environment, $_")->{content}, "$theirs{id}|$account|environment|", 'upstream');
        is(is_logged(sub { ask('/', admin()) }, {admin_user_id => $admin_user, expires_at => '2030-01-01T00:00:00Z'}, "an admin, $_")->{content}, "|||$admin_user", 'upstream');
        is(is_logged(sub { ask('/', admin(account_id => $account)) }, {admin_user_id => $admin_user, account_id => $account, expires_at => '2030-01-01T00:00:00Z'}, "an admin of an account, $_")->{content},
            "|$account||$admin_user", 'upstream');
    }
    my %forged = ('X-Id' => 'a', 'X-Account' => 'b', 'X-Scope' => 'c', 'X-Admin' => 'd', 'x_id' => 'e');
    is(ask('/', {%forged, Authorization => "Bearer $token"})->{content}, "$own{id}|$account|account|", "a client's own headers do not come through");
    is(is_logged(sub { ask($_, {%forged, Authorization => "Bearer $token"}) }, {}, "$_: the check is off")->{content}, '|||', 'nor where the check is off') for '/off', '/realm?realm=off';
    is_logged(sub { ask('/realm?realm=on', $token) }, \%own, 'and on');
}



=== TEST 2: why the check refused, in a word
--- http_config eval: $::http
--- config eval
api() . "location / { auth_api_token r; $::echo } location /claims { auth_api_token r; api_token_issuer us; api_token_audience here; $::echo }
    location /environment { auth_api_token r scope=environment; $::echo } location /page { auth_api_token r; error_page 401 /sorry; $::echo }
    location /named { auth_api_token r; error_page 401 =200 \@sorry; $::echo } location = /sorry { return 401 sorry; } location \@sorry { return 200 sorry; }
    location /dead { auth_api_token r; api_token_redis unix:$ENV{TEST_NGINX_KEYS}/none.sock; $::echo }
    location /any { satisfy any; auth_api_token r; allow all; $::echo } location /arg { auth_api_token r token=\$arg_t; $::echo }"
--- steps eval
sub {
    my ($token, $details) = new_token();
    my $claims = {sub => $account, jti => $details->{id}, exp => time + 1000, token_scope => 'account', iss => 'us', aud => 'here'};
    my $unknown = $details->{id} =~ s/.$/$& eq 'x' ? 'y' : 'x'/er;
    for (
        [missing => '/', undef], [missing => '/', {Authorization => 'Bearer'}], [missing => '/arg?t=', $token],
        [malformed => '/', 'x'], [malformed => '/', sign({%$claims, sub => 1})], [malformed => '/', sign($claims, '{"alg":1}')],
        [malformed => '/', sign($claims, '{"alg":"HS256","kid":1}')], [malformed => '/', sign({%$claims, exp => 'x'})],
        [key => '/', sign($claims, '{"alg":"none"}')], [key => '/', sign($claims, '{"alg":"HS256","kid":"x"}')], [key => '/', sign($claims, '{"alg":"RS256"}')],
        [signature => '/', sign($claims, undef, 'hs512')], [signature => '/', substr($token, 0, -3)], [signature => '/', (sign($claims) =~ /(.*\.)/)[0]],
        [issuer => '/claims', $token], [issuer => '/claims', sign({%$claims, iss => 'we'})],
        [audience => '/claims', sign({%$claims, aud => 'there'})], [audience => '/claims', sign({%$claims, aud => undef})],
        [expired => '/', sign({%$claims, exp => time})], [expired => '/', sign({%$claims, exp => 1})],
        [early => '/', sign({%$claims, nbf => time + 100})],
        [unknown => '/', sign({%$claims, jti => $unknown})], [unknown => '/', sign({%$claims, jti => $unknown})], [scope => '/environment', $token], [scope => '/environment', $token],
        [unavailable => '/dead', $token],
    ) {
        my ($word, $path, $with) = @$_;
        is_logged(sub { ask($path, $with) }, {error => $word}, "$word at $path");
    }
    is_logged(sub { ask($_, 'x') }, {error => 'malformed'}, "malformed, and an error_page at $_") for '/page', '/named';
    is_logged(sub { ask('/any', 'x') }, {error => 'malformed'}, 'refused, and let in by another module');
    my $record = 'api_token:{' . substr($account, 10, 6) . "}:token:$details->{id}";
    for (['suspend', 'suspended'], ['activate', undef], ['revoke', 'revoked'], ['delete', 'unknown']) {
        my ($action, $word) = @$_;
        is($action eq 'delete' ? request(DELETE => "/$details->{id}")->{status} : request(POST => "/$details->{id}/$action")->{status}, 200, $action);
        my ($values) = logged(sub { ask('/', $token) });
        is($values->{error}, $word, 'then: ' . ($word // 'let in'));
        is($values->{id}, $word ? undef : $details->{id}, 'its id, where it was let in');
    }
    my ($short, $its) = new_token();
    redis('HSET', $record =~ s/\w+$/$its->{id}/r, 'expires_at', time - 1);
    is_logged(sub { ask('/', $short) }, {error => 'expired'}, 'expired, as Redis says');
}
--- error_log eval: [qr/none\.sock/, map { qr/\[info\] .*api token refused: $_, client/ } qw(missing malformed key signature issuer audience expired early unknown suspended revoked scope unavailable)]



=== TEST 3: before the access phase they hold what the token claims, if it is rightly signed and not over
--- http_config eval
$::http . 'map $api_token_scope:$api_token_id $mapped { default ""; ~^account:. ours; }
    limit_req_zone $api_token_id zone=token:64k rate=1r/m; limit_req_zone $api_token_account_id zone=account:64k rate=1r/m;'
--- config eval
api() . "location / { auth_api_token r; limit_req zone=token burst=1 nodelay; limit_req_status 429; $::echo }
    location /account { auth_api_token r; limit_req zone=account; limit_req_status 429; $::echo }
    location /rewrite { auth_api_token r; if (\$mapped = ours) { return 418 \"\$api_token_id\"; } $::echo }
    location /set { auth_api_token r; set \$early \"\$api_token_id \$api_token_account_id \$api_token_expires_at\"; add_header X-Early \$early always; $::echo }
    location /off { limit_req zone=token; set \$early \$api_token_id; add_header X-Early \"[\$early]\" always; $::echo }"
--- steps eval
sub {
    my @tokens = map { [new_token()] } 1 .. 3;
    my ($token, $details) = @{$tokens[0]};
    is(join(' ', map { ask('/', $_->[0])->{status} } @tokens[0, 1]), '200 200', 'each of two tokens');
    is(join(' ', map { ask('/', $token)->{status} } 1 .. 9), join(' ', 200, (429) x 8), 'ten of one');
    is(join(' ', map { ask('/', $tokens[1][0])->{status} } 1 .. 3), '200 429 429', 'the other is limited by itself');
    is(join(' ', map { ask('/', $_)->{status} } ('x') x 5, (undef) x 5), join(' ', (401) x 10), 'what is no token has no limit');
    is(join(' ', map { ask('/', substr($tokens[2][0], 0, -3) . 'AAA')->{status} } 1 .. 5), join(' ', (401) x 5), 'and a forged one does not use up the limit');
    is(ask('/', $tokens[2][0])->{status}, 200, 'of the true one');
    is(join(' ', map { ask('/account', $_->[0])->{status} } @tokens), '200 429 429', 'a limit per account');

    is("$_->{status} $_->{content}", "418 $details->{id}", 'rewrite and map') for ask('/rewrite', $token);
    is(ask('/rewrite', $_)->{status}, 401, 'which a bad one does not reach') for 'x', sign({sub => $account, jti => $details->{id}, exp => 1, token_scope => 'account'});
    my $answer = ask('/set', $token);
    is("$answer->{status} $answer->{headers}{'x-early'}", "200 $details->{id} $account $details->{expires_at}", 'set');
    is(ask('/off', $token)->{headers}{'x-early'}, '[]', 'empty where the check is off') for 1, 2;
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    my ($values, $revoked) = logged(sub { ask('/set', $token) });
    is("$revoked->{status} $revoked->{headers}{'x-early'}", "401 $details->{id} $account $details->{expires_at}", 'revoked: known to the limits');
    is_deeply($values, {error => 'revoked'}, 'but not to the log');
}
--- error_log
limiting requests, excess



=== TEST 4: an audit line on the routes of the API
--- http_config eval: $::http
--- config eval
api('auth_api_token r', 'api_token_caller account=$http_x_account admin_user=$http_x_admin')
--- steps eval
sub {
    my $admin = {Authorization => 'Bearer ' . admin(account_id => $account)};
    my %by_admin = (account_id => $account, admin_user_id => $admin_user, expires_at => '2030-01-01T00:00:00Z', actor_id => $admin_user);
    my $create = '{"token_scope":"account"}';
    my ($values, $answer) = logged(sub { post($create, $admin) });
    my $created = json($answer->{content})->{details};
    is_deeply($values, {%by_admin, action => 'create', created_id => $created->{id}, target_id => $created->{id}}, 'create by an admin');
    is_logged(sub { request(GET => '', undef, $admin) }, {%by_admin, action => 'list'}, 'list');
    for ([GET => '', 'retrieve'], map({ [POST => "/$_", $_] } qw(suspend activate revoke)), [DELETE => '', 'delete'], [GET => '', 'retrieve'], [POST => '/suspend', 'suspend']) {
        my ($method, $end, $action) = @$_;
        is_logged(sub { request($method => "/$created->{id}$end", undef, $admin) }, {%by_admin, action => $action, target_id => $created->{id}}, $action);
    }
    is_logged(sub { post('{}', $admin) }, {%by_admin, action => 'create'}, 'a create that is refused made nothing');
    is_logged(sub { request(PUT => '', undef, $admin) }, {admin_user_id => $admin_user, account_id => $account, expires_at => $by_admin{expires_at}}, 'what is no route is no action');

    my ($token, $details) = new_token({}, {'X-Account' => $account});
    my %own = (id => $details->{id}, account_id => $account, scope => 'account', expires_at => $details->{expires_at});
    is_logged(sub { request(GET => '', undef, {Authorization => "Bearer $token"}) }, {%own, action => 'list', actor_id => $details->{id}}, 'the calling token');
    is_logged(sub { request(GET => '', undef, {'X-Account' => $account}) }, {action => 'list', actor_id => $account}, 'the account that nginx has authenticated');
    is_logged(sub { request(GET => '', undef, {'X-Account' => $account, 'X-Admin' => $admin_user}) }, {action => 'list', actor_id => $admin_user, admin_user_id => $admin_user}, 'its admin user');
    is_logged(sub { request(GET => "?account_id=$account", undef, {'X-Account' => 'any'}) }, {action => 'list'}, 'any, who has no name');
    is_logged(sub { request(GET => '', undef, {Authorization => 'Bearer x'}) }, {error => 'malformed', action => 'list'}, 'a bad token: what it was for');
    is_logged(sub { request(POST => "/$details->{id}/revoke", undef, {Authorization => 'Bearer x'}) }, {error => 'malformed', action => 'revoke', target_id => $details->{id}}, 'and what it was to be done to');
    is_logged(sub { request(POST => "/$details->{id}/revoke", undef, {'X-Account' => 'x'}) }, {action => 'revoke', target_id => $details->{id}}, 'nobody');
}



=== TEST 5: an error_page that leads to a location that is checked as well
--- http_config eval: $::http
--- config eval
api() . "auth_api_token r; error_page 401 500 503 \@sorry; error_page 403 /sorry; location \@sorry { return 200 sorry; } location = /sorry { $::echo }
    location / { $::echo } location /environment { auth_api_token r scope=environment; $::echo }
    location /dead { api_token_redis unix:$ENV{TEST_NGINX_KEYS}/none.sock; $::echo }
    location /wrong { api_token_redis @{[redis_here('prefix=wrong:')]}; $::echo }"
--- steps eval
sub {
    my ($token, $details) = new_token();
    is_logged(sub { ask('/', $_->[1]) }, {error => $_->[0]}, "$_->[0], and no id") for [missing => undef], [malformed => 'x'];
    is_logged(sub { ask('/dead', $token) }, {error => 'unavailable'}, 'unavailable, and no id');
    redis('SET', "wrong:{" . substr($account, 10, 6) . "}:token:$details->{id}", 'no hash');
    is_logged(sub { ask('/wrong', $token) }, {error => 'unavailable'}, 'an error of Redis, and no id');
    my ($values) = logged(sub { ask('/environment', $token) });
    is($values->{error}, 'scope', 'the word of the location that refused');
    is(request(POST => "/$details->{id}/revoke")->{status}, 200, 'revoke');
    is_logged(sub { ask('/', $token) }, {error => 'revoked'}, 'revoked, and no id');
}
--- error_log
none.sock
WRONGTYPE



=== TEST 6: an error_page that leads to a location that looks for another token
--- http_config eval: $::http . "limit_req_zone \$api_token_id zone=of_token:1m rate=1r/m;"
--- config eval
(api('auth_api_token r', 'error_page 401 = @by_cookie') =~ s/^ *api_token_caller .*\n//mr) . "location \@by_cookie { api_token; auth_api_token r token=\$cookie_t; }
    location /limited { auth_api_token r; error_page 401 = \@limited; } location \@limited { auth_api_token r token=\$cookie_t; limit_req zone=of_token; $::echo }"
--- steps eval
sub {
    my ($token, $details) = new_token({}, {Cookie => 't=' . admin(account_id => $account)});
    my %own = (id => $details->{id}, account_id => $account, scope => 'account', expires_at => $details->{expires_at});
    my $cookie = {Cookie => "t=$token"};
    my ($values, $answer) = logged(sub { post('{"token_scope":"account"}', $cookie) });
    is($answer->{status}, 200, 'create');
    my $created = json($answer->{content})->{details}{id};
    is_deeply($values, {%own, action => 'create', created_id => $created, target_id => $created, actor_id => $details->{id}}, 'the one who was let in');
    is_logged(sub { request(POST => "/$created/suspend", undef, $cookie) }, {%own, action => 'suspend', target_id => $created, actor_id => $details->{id}}, 'suspend');
    is_logged(sub { post('{}', {Cookie => 't=x'}) }, {error => 'malformed', action => 'create'}, 'nobody: the later refusal');
    is_logged(sub { post('{}') }, {error => 'missing', action => 'create'}, 'nobody');

    is(is_logged(sub { ask('/limited', $cookie) }, \%own, 'let in')->{content}, "$own{id}|$account|account|", 'upstream');
    is(ask('/limited', $cookie)->{status}, 503, 'and counted by its token');
}
--- error_log
limiting requests, excess
