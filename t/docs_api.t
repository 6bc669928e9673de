use ApiToken;

plan 'no_plan';

# docs/api.md: its commands, in one shell and in this order, are answered as it shows

my @callers = ('auth_api_token "example"', 'api_token_caller account=$http_x_account',
    'api_token_admin_key ' . write_key('admin.jwk', test_key('hs384', {alg => 'HS256'})));
our $places = join ' ', 'location = /introspect { api_token_introspect;', map({ "$_;" } @callers), '} location = /jwks { api_token_jwks;',
    'api_token_key ' . write_key('es256.jwk', test_key('es256', {kid => '2026-11'})) . '; }';
our $api = api(@callers);

# [language, text] of each fenced block
sub page_blocks {
    open my $in, '<', 'docs/api.md' or die "docs/api.md: $!\n";
    my $page = join '', <$in>;
    my @blocks;
    push @blocks, [$1, $2] while $page =~ /^```(\w+)\n(.*?)^```$/msg;
    return @blocks;
}

# what each command prints; $id is that of the first answer
sub outputs {
    my ($variables, @commands) = @_;
    my $out = "$ENV{TEST_NGINX_KEYS}/out";
    my $script = write_key('commands.sh', join '', map {
        "{\n$commands[$_]} >$out.$_\n" . ($_ ? '' : qq(id=\$(sed -n 's/.*"id":"\\([^"]*\\)".*/\\1/p' $out.0)\n))
    } 0 .. $#commands);
    local @ENV{keys %$variables} = values %$variables;
    is(system('bash', '-eu', $script), 0, 'the commands succeed');
    return map { open my $in, '<', "$out.$_" or die "$out.$_: $!\n"; join '', <$in> } 0 .. $#commands;
}

# what the page shows, with the ids, times and tokens of the answer
our (%ids, %shown_as);
sub like_text {
    my ($shown, $text) = @_;
    return $text if $shown =~ /^(eyJ\w+)\x{2026}$/ && $text =~ /^\Q$1\E[\w.-]+$/;
    # what requests ask for
    return $shown if grep { /^(?:013x|209[89]-)/ } $shown, $text;
    return $text if $shown =~ /^$time$/ && $text =~ /^$time$/;
    return $text if $shown =~ /^$pfid$/ && $text =~ /^$pfid$/ && ($ids{$shown} //= $text) eq $text && ($shown_as{$text} //= $shown) eq $shown;
    return $text if $shown =~ /^1[78]\d{8}$/ && $text =~ /^\d{10}$/;
    return $shown;
}

sub like_answer {
    my ($shown, $answer) = @_;
    return [map { like_answer($shown->[$_], $answer->[$_]) } 0 .. $#$shown] if ref $shown eq 'ARRAY' && ref $answer eq 'ARRAY';
    return defined $shown && defined $answer && !ref $shown && !ref $answer ? like_text($shown, $answer) : $shown
        if ref $shown ne 'HASH' || ref $answer ne 'HASH';
    my $is_part = $shown->{"\x{2026}"};
    return {$is_part ? %$answer : (), map { ($_ => like_answer($shown->{$_}, $answer->{$_})) } grep { $_ ne "\x{2026}" } keys %$shown};
}

sub is_json {
    my ($name, $shown, $answer) = ($_[2], map { json($_) } @_[0, 1]);
    is_deeply($answer, like_answer($shown, $answer), $name);
}

# the headers that are shown are there, and the body
sub is_http {
    my ($shown, $answer, $name) = @_;
    my ($lines, $body) = split /\n\n/, $shown, 2;
    my ($head, $content) = split /\r\n\r\n/, $answer, 2;
    my %has = map { $_ => 1 } split /\r\n/, $head;
    is_deeply([grep { !$has{$_} } split /\n/, $lines], [], "$name: status and headers") or diag($head);
    is($content, $body, "$name: body");
}

run_tests();

__DATA__

=== TEST 1: the page
--- http_config eval: checks('api_token_issuer https://tokens.example')
--- config eval: $::api . $::places
--- steps eval
sub {
    my ($token) = new_token({}, {'X-Account' => $account});
    my $server = "http://127.0.0.1:$Test::Nginx::Util::ServerPortForClient";
    my @blocks = page_blocks();
    my @commands = map { $_->[1] } grep { $_->[0] eq 'sh' } @blocks;
    my @answers  = grep { $_->[0] ne 'sh' } @blocks;
    like(join(' ', map { $_->[0] } @blocks), qr/^(?:sh (?:json|http)(?: |$))+$/, 'an answer for each command');
    my @outputs = outputs({url => "$server/api/v1/api_token", introspect => "$server/introspect", jwks => "$server/jwks", no_proxy => '*',
        token => $token, admin => sign({sub => $admin_user, exp => time + 3600}, undef, 'hs384')}, @commands);
    for (0 .. $#commands) {
        my ($language, $shown) = @{$answers[$_]};
        my $compare = $language eq 'http' ? \&is_http : \&is_json;
        $compare->($shown, $outputs[$_], (split /\n/, $commands[$_])[0]);
    }
}
