use ApiToken;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use List::Util qw(shuffle);
use MIME::Base64 qw(decode_base64 encode_base64url);

log_level('info');
no_root_location();
plan 'no_plan';

our $bad = error_body('bad_authtoken', 'The token is not valid.');

sub rs256 {
    my ($input, $key, @options) = @_;
    my $file = write_key('input', $input);
    my $signature = `openssl dgst -sha256 @options -sign $ENV{TEST_NGINX_KEYS}/$key.pem -binary $file`;
    die "openssl\n" if $? || $signature eq '';
    return "$input." . encode_base64url($signature);
}

sub input { join '.', map { encode_base64url(ref $_ ? JSON::PP->new->canonical->encode($_) : $_) } @_ }

# what is no JWT of the RSA key, made from a token that is
sub forged {
    my ($header, $claims, $signature) = split /\./, shift;
    my $text = b64url_decode($claims);
    my $public = test_key('rsa_public');
    my $der = decode_base64($public =~ s/-----.*?-----//gr);
    my ($modulus) = `openssl rsa -noout -modulus -in $ENV{TEST_NGINX_KEYS}/attacker.pem` =~ /=(\w+)/;
    my %attacker = (kty => 'RSA', e => 'AQAB', n => encode_base64url(pack 'H*', $modulus));
    my ($last) = $signature =~ /(.)$/;

    my @forged;
    for my $alg ('"none"', '"None"', '"NONE"', '"nOnE"', '"none "', '""', 'null', '0', '["none"]', '["RS256"]', '{"alg":"RS256"}', '"rs256"', '"RS256\u0000"', '"HS1"', '"dir"') {
        my $start = input(qq({"alg":$alg,"typ":"JWT"}), $text);
        push @forged, "$start.", "$start.$signature", "$start.AAAA", rs256($start, 'rsa');
    }
    push @forged, map { input($_, $text) . ".$signature" } '{}', '{"typ":"JWT"}', '[]', '"RS256"', '', 'x', '{"alg":"RS256","typ":"JWT"', "\xef\xbb\xbf{\"alg\":\"RS256\"}";

    my %hmac = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384, HS512 => \&hmac_sha512);
    for my $alg (sort keys %hmac) {
        my $start = input(qq({"alg":"$alg","typ":"JWT"}), $text);
        push @forged, map { "$start." . encode_base64url($hmac{$alg}->($start, $_)) } $public, $public =~ s/\n\z//r, $public =~ s/\n/\r\n/gr,
            test_key('rsa_public_pkcs1'), $der, encode_base64url($der), "\0", '', $attacker{n};
        push @forged, "$start.$signature";
    }

    push @forged, map { "$header.$claims.$_" } '', substr($signature, 1), substr($signature, 0, -1), substr($signature, 0, 100), "$signature=", "${signature}A",
        "$signature$signature", 'A' x length $signature, "+/" . substr($signature, 2), substr($signature, 0, -1) . ($last eq 'A' ? 'B' : 'A'), "$signature.", ".$signature";
    push @forged, "$header.$claims", $header, "$header..$signature", ".$claims.$signature", "$header=.$claims.$signature", "$header.$claims=.$signature";
    push @forged, rs256("$header.$claims", 'attacker'), rs256("$header.$claims", 'rsa', '-sigopt', 'rsa_padding_mode:pss');
    push @forged, "$header." . encode_base64url($text =~ s/"account"/"environment"/r) . ".$signature", "$header." . encode_base64url($text =~ s/\d{10}/9999999999/r) . ".$signature";
    push @forged, map { input(qq({"alg":"$_","typ":"JWT"}), $text) . ".$signature" } qw(RS384 RS512 PS256 PS384 PS512 ES256 EdDSA);

    my $key = JSON::PP->new->canonical->encode(\%attacker);
    for my $member (qq("jwk":$key), '"jku":"http://127.0.0.1/jwks"', '"x5u":"http://127.0.0.1/"', '"x5c":["' . encode_base64url($der) . '"]') {
        push @forged, rs256(input(qq({"alg":"RS256",$member}), $text), 'attacker');
    }
    # these by the right key
    push @forged, map { rs256(input(qq({"alg":"RS256",$_}), $text), 'rsa') } '"crit":["exp"],"exp":1', '"crit":["b64"],"b64":false', '"crit":[]', '"crit":null', '"b64":false', '"b64":true',
        '"alg":"RS256"', '"\u0061lg":"RS256"', '"kid":""', '"kid":null', '"kid":0', '"kid":["x"]', '"kid":"../../../../dev/null"', '"kid":"/proc/self/environ"',
        q("kid":"x' UNION SELECT 'y"), '"kid":"x\\u0000y"', '"kid":"key|id"', '"kid":"' . 'k' x 3000 . '"', '"enc":"A","alg":"dir"';
    return @forged;
}

sub resident {
    open my $file, '<', Test::Nginx::Util::server_root() . '/logs/nginx.pid' or die "nginx.pid: $!\n";
    chomp(my $pid = <$file>);
    open my $status, '<', "/proc/$pid/status" or die "status: $!\n";
    return (join '', <$status>) =~ /^VmRSS:\s*(\d+)/m ? $1 : die;
}

write_key('rsa.pem', test_key('rsa_pkcs8'));
write_key('attacker.pem', scalar `openssl genrsa 2048 2>/dev/null`);

our $places = "keepalive_requests 100000; location / { auth_api_token r; proxy_pass http://behind; }\n";

run_tests();

__DATA__

=== TEST 1: forged tokens in random order, each followed by a valid one, which changes nothing for the next
--- http_config eval
checks('api_token_cache zone=t:1m', 'api_token_last_used off') =~ s/hs256\.jwk/rsa.pem/r
--- config eval: api("api_token_key $ENV{TEST_NGINX_KEYS}/rsa.pem") . $::places
--- steps eval
sub {
    my ($valid) = new_token();
    my @forged = forged($valid);
    cmp_ok(scalar @forged, '>', 120, 'forged tokens');
    redis_calls();
    my ($seed, $wrong, $before, $tried) = (srand, 0);
    while (($tried += @forged) < 5000 + @forged) {
        my @order = shuffle(@forged);
        my @answers = ask_all('/', map { ($_, $valid) } @order);
        for my $i (0 .. $#order) {
            my ($first, $second) = map { "$_->{status} $_->{content}" } @answers[2 * $i, 2 * $i + 1];
            next if $first eq "401 $::bad" && $second eq '200 in';
            diag("seed $seed, after $order[$i]: $first, then: $second") if ++$wrong < 10;
        }
        $before = resident() if $tried < 1500;
    }
    is($wrong, 0, 'wrong answers');
    # AddressSanitizer keeps 256 MiB of what was freed
    cmp_ok(resident() - $before, '<', $ENV{ASAN_OPTIONS} ? 300_000 : 1000, 'growth in kB');
    is_deeply(redis_calls(), {hmget => 1}, 'Redis was asked once, of the valid one');
}



=== TEST 2: without a cache Redis is asked of the valid ones only
--- http_config eval
checks('api_token_last_used off') =~ s/hs256\.jwk/rsa.pem/r
--- config eval: api("api_token_key $ENV{TEST_NGINX_KEYS}/rsa.pem") . $::places
--- steps eval
sub {
    my ($valid) = new_token();
    my @forged = shuffle(forged($valid));
    redis_calls();
    my @answers = ask_all('/', map { ($_, $valid) } @forged);
    is(scalar(grep { $_->{status} == 401 && $_->{content} eq $::bad } @answers), scalar @forged, 'the forged are refused');
    is(scalar(grep { $_->{status} == 200 } @answers), scalar @forged, 'the others are not');
    is_deeply(redis_calls(), {hmget => scalar @forged}, 'questions to Redis');
}



=== TEST 3: claims of the wrong kind, rightly signed
--- http_config eval
checks('api_token_cache zone=t:1m', 'api_token_last_used off', 'api_token_issuer us', 'api_token_audience here', 'large_client_header_buffers 4 128k')
--- config eval: api() . $::places
--- steps eval
sub {
    my ($valid, $details) = new_token();
    my %claims = %{json((jwt($valid))[1])};
    my $id = $details->{id};
    my @kinds = (undef, 0, 1, -1, 1.5, JSON::PP::true, JSON::PP::false, '', 'x', '*', [], {}, [undef], [1], {x => 1}, 'x' x 5000, 'x' x 65536, "$account\0", "\x{1f600}");
    my %wrong = (
        sub => [@kinds, uc $account, "$account ", [$account], substr($account, 1), "8" . substr($account, 1)],
        jti => [@kinds, uc $id, "$id\n", [$id], "${id}0", '/../' . substr($id, 4), substr($id, 0, 10) . '000000' . substr($id, 16)],
        iss => [@kinds, 'US', 'us ', ['us']],
        aud => [@kinds, 'HERE', ['x', 'y'], ['here', 1], [['here']], {here => 1}],
        token_scope => [@kinds, 'Account', 'environment', 'account environment', ['account']],
        environment_id => [grep { defined } @kinds, $environment],
        exp => [@kinds, '9999999999', 1e300, 9007199254740994, time - 1, [9999999999]],
        nbf => [(grep { ref $_ || !/^-?[01]/ } grep { defined } @kinds), undef, '0', time + 3600, 1e300],
    );
    my @forged;
    for my $claim (sort keys %wrong) {
        push @forged, map { [$claim, sign({%claims, $claim => $_})] } @{$wrong{$claim}};
        push @forged, ["no $claim", sign({map { $_ ne $claim ? ($_ => $claims{$_}) : () } keys %claims})] if exists $claims{$claim};
    }
    my $text = JSON::PP->new->canonical->encode(\%claims);
    push @forged, map { [$_, sign($_)] } '', '{}', '[]', 'null', '"x"', "$text x", "$text$text", "[$text]", "\xef\xbb\xbf$text", "$text\0",
        $text =~ s/^\{/{"sub":"x",/r, $text =~ s/^\{/{"\\u0073ub":"x",/r, $text =~ s/"us"/"\xff"/r, '[' x 3000 . ']' x 3000,
        map { $text =~ s/"exp":\d+/"exp":$_/r } '1e400', '9223372036854775808', '-1', '1e3', 'NaN', '"9999999999"', '9007199254740993';
    redis_calls();
    my @answers = map { ask_all('/', $_->[1], $valid) } @forged;
    for my $i (0 .. $#forged) {
        is("$answers[2 * $i]{status} $answers[2 * $i]{content} $answers[2 * $i + 1]{status}", "401 $::bad 200", substr "$forged[$i][0]: $forged[$i][1]", 0, 100);
    }
    is_deeply(redis_calls(), {hmget => 1}, 'Redis was asked once, of the valid one');

    my @fine = map { sign({%claims, %$_}) } {}, {aud => ['x', 'here']}, {exp => $claims{exp} + 0.5}, {nbf => 0}, {nbf => time - 1.5}, {nbf => -1}, {iat => 'x'},
        {iat => undef}, {environment_id => undef}, {more => [1]};
    push @fine, sign(\%claims, '{"typ":1,"alg":"HS256"}'), sign(\%claims, '{"alg":"HS256","x":"y"}'), sign($text =~ s/"exp":(\d+)/"exp":1.9e9/r);
    is(join(' ', map { $_->{status} } ask_all('/', @fine)), join(' ', (200) x @fine), 'and what may be otherwise');
}



=== TEST 4: a token of somebody else, rightly signed, is unknown
--- http_config eval
checks('api_token_cache zone=t:1m', 'api_token_last_used off')
--- config eval: api() . $::places
--- steps eval
sub {
    my ($valid, $details) = new_token();
    my %claims = %{json((jwt($valid))[1])};
    my $sibling = $account =~ s/f$/g/r;
    my $id = $details->{id};
    my @others = map { sign({%claims, %$_}) } {sub => $sibling}, {sub => $environment}, {sub => $id}, {jti => $account}, {jti => $id =~ s/.$/$& eq 'x' ? 'y' : 'x'/er};
    is(join(' ', map { $_->{status} } ask_all('/', $valid, @others, $valid, @others)), '200 401 401 401 401 401 200 401 401 401 401 401', 'ids and accounts that do not belong together');

    my ($of_environment) = new_token({token_scope => 'environment', environment_id => $environment});
    my %narrow = %{json((jwt($of_environment))[1])};
    my $wide = sign({%narrow, token_scope => 'account', environment_id => undef});
    my @scopes = ($of_environment, sign({%narrow, environment_id => $account}), $wide, sign({%claims, token_scope => 'environment', environment_id => $environment}));
    delete $narrow{environment_id};
    push @scopes, sign({%narrow, token_scope => 'account'}), $of_environment;
    is(join(' ', map { $_->{status} } ask_all('/', @scopes, @scopes)), '200 401 401 401 401 200 200 401 401 401 401 200', 'nor another scope or environment than it was made with');
}
