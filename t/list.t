use ApiToken;
use Tokens;
use List::Util qw(max shuffle);

plan 'no_plan';

# the text of a list's answer
sub list_answer {
    my ($sorting, $pagination, @summaries) = @_;
    my @members = qw(item_count item_start item_end next_page_offset page_count page_index page_offset page_size previous_page_offset);
    my $text = join ',', map { qq("$members[$_]":) . ($pagination->[$_] // 'null') } 0 .. $#members;
    return qq({"pagination":{$text},"sorting":"$sorting","status":"success","summaries":[) . join(',', @summaries) . "]}\n";
}

# the text of a token in a list, from that of an answer with its details
sub summary {
    my ($text) = $_[0] =~ /^\{"details":(\{.*\}),"status"/;
    $text =~ s/"available_actions":\{[^{}]*\},//;
    return $text;
}

sub list {
    my ($query, $headers) = @_;
    return request(GET => $query eq '' ? '' : "?$query", undef, $headers);
}

# a page: its ids, and its pagination
sub page {
    my $answer = list(@_);
    die "list: $answer->{content}" if $answer->{status} != 200;
    my $page = json($answer->{content});
    return [map { $_->{id} } @{$page->{summaries}}], $page->{pagination};
}

sub page_query {
    my ($sorting, $offset, $size) = @_;
    return "sorting=$sorting&pagination%5Boffset%5D=$offset&pagination%5Bpage_size%5D=$size";
}

# $count tokens of an account, whose two times are one of a few, so that there are ties
sub make_tokens {
    my ($account_id, $count) = @_;
    my %tokens;
    for (1 .. $count) {
        my $details = new_details({expires_at => date_time(1893456000 + 86400 * int rand 30)}, as($account_id));
        $tokens{$details->{id}} = $details;
    }
    # as if they had been made on a few days
    my $prefix = 'api_token:{' . substr($account_id, 10, 6) . '}:';
    my @days = map { ($_, 1700000000 + int rand 30) } keys %tokens;
    redis(EVAL => q{for i = 1, #ARGV, 2 do
        redis.call('HSET', KEYS[1] .. ARGV[i], 'inserted_at', ARGV[i + 1])
        redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i]) end}, 2, "${prefix}token:", "${prefix}account:$account_id:inserted_at", @days);
    my %inserted_at = @days;
    $tokens{$_}{inserted_at} = date_time($inserted_at{$_}) for keys %tokens;
    return \%tokens;
}

# the ids in an order; ties by id, so that they are the same on all pages
sub in_order {
    my ($tokens, $sorting) = @_;
    my ($down, $member) = $sorting =~ /^(-?)(.*)$/;
    my @ids = sort { $tokens->{$a}{$member} cmp $tokens->{$b}{$member} || $a cmp $b } keys %$tokens;
    return $down ? reverse @ids : @ids;
}

sub remove {
    my ($id, $headers) = @_;
    for (['POST', "/$id/revoke"], ['DELETE', "/$id"]) {
        my $answer = request($_->[0], $_->[1], undef, $headers);
        die "@$_: $answer->{content}" if $answer->{status} != 200;
    }
}

# the sizes of an account's sorted sets
sub set_sizes {
    my $key = 'api_token:{' . substr($_[0], 10, 6) . "}:account:$_[0]:";
    return join ' ', map { redis(ZCARD => "$key$_") } qw(inserted_at expires_at ends_at);
}

sub bad_query { return error_body('bad_request', $_[0]) }

our @orders = qw(inserted_at -inserted_at expires_at -expires_at);

run_tests();

__DATA__

=== TEST 1: an account without tokens
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    is_answer(list(''), 200, list_answer('-inserted_at', [0, undef, undef, undef, 0, undef, 0, 20, undef]), 'no query');
    is_answer(list(page_query('expires_at', 7, 3)), 200,
        list_answer('expires_at', [0, undef, undef, undef, 0, undef, 7, 3, undef]), 'beyond the end');
    is(redis('DBSIZE'), 0, 'nothing is written');
}



=== TEST 2: summaries are the details without available_actions, whatever the status
--- config eval
api("api_token_caller account=$account admin_user=$admin_user")
--- steps eval
sub {
    redis('FLUSHALL');
    my %status = map { token_that_is($_) => $_ } qw(active suspended revoked expired);
    $status{new_details({token_scope => 'environment', environment_id => $environment})->{id}} = 'active';
    my @ids = sort keys %status;
    wait_until(time + 1);
    my @summaries = map { summary(request(GET => "/$_")->{content}) } @ids;
    is(join(' ', map { /"status":"(\w+)"/ } @summaries), "@status{@ids}", 'the statuses');
    is_answer(list('sorting=inserted_at'), 200,
        list_answer('inserted_at', [5, 1, 5, undef, 1, 1, 0, 20, undef], @summaries), 'upwards');
    is_answer(list(''), 200,
        list_answer('-inserted_at', [5, 1, 5, undef, 1, 1, 0, 20, undef], reverse @summaries), 'downwards, by default');
    is_answer(list('pagination[offset]=1&pagination[page_size]=2&sorting=inserted_at'), 200,
        list_answer('inserted_at', [5, 2, 3, 3, 3, 1, 1, 2, 0], @summaries[1, 2]), 'a page');
    is_answer(list('pagination[offset]=5&pagination[page_size]=2'), 200,
        list_answer('-inserted_at', [5, undef, undef, undef, 3, undef, 5, 2, 3]), 'beyond the end');
    is_answer(list('pagination[offset]=1000000000000&pagination[page_size]=100'), 200,
        list_answer('-inserted_at', [5, undef, undef, undef, 1, undef, 1000000000000, 100, 0]), 'far beyond the end');
}



=== TEST 3: four orders, whose ties are the same on every page
--- config eval: api(any_caller())
--- steps eval
sub {
    redis('FLUSHALL');
    my $tokens = make_tokens($neighbour, 60);
    for my $sorting (@::orders) {
        for my $size (1, 7, 60, 100) {
            my @seen;
            my $offset = 0;
            while (defined $offset) {
                my ($ids, $pagination) = page(page_query($sorting, $offset, $size), as($neighbour));
                push @seen, @$ids;
                $offset = $pagination->{next_page_offset};
            }
            is("@seen", join(' ', in_order($tokens, $sorting)), "$sorting in pages of $size");
        }
    }
}



=== TEST 4: who walks while tokens are deleted sees none of them twice, and misses none that stays
--- config eval: api(any_caller())
--- steps eval
sub {
    redis('FLUSHALL');
    my $caller = as($stranger);
    my $tokens = make_tokens($stranger, 250);
    for my $sorting (@::orders) {
        for my $size (7, 50, 100) {
            my $name = "$sorting in pages of $size";
            my @order = in_order($tokens, $sorting);
            my (@seen, @removed, %missed);
            my ($offset, $wrong, $pages) = (0, 0, 0);
            while (defined $offset) {
                my ($ids, $pagination) = page(page_query($sorting, $offset, $size), $caller);
                push @seen, @$ids;
                $wrong++ if $pagination->{item_count} != keys %$tokens;
                $offset = $pagination->{next_page_offset};

                # by turns: one that was seen, whose place the next offset must leave out, and one that is to come
                my $id = $pages++ % 2 ? $seen[rand @seen] : $order[max(@seen + 0, @order - 1 - $pages)];
                next if !defined $id || !exists $tokens->{$id};
                remove($id, $caller);
                delete $tokens->{$id};
                if (grep { $_ eq $id } @seen) {
                    $offset-- if defined $offset;
                } else {
                    $missed{$id} = 1;
                    undef $offset if defined $offset && $offset >= keys %$tokens;
                }
            }
            is("@seen", join(' ', grep { !$missed{$_} } @order), $name);
            is($wrong, 0, "$name: as many items as there are");
            cmp_ok(scalar(@order) - keys %$tokens, '>', 1, "$name: some were deleted");
            $tokens = {%$tokens, %{make_tokens($stranger, 250 - keys %$tokens)}};
        }
    }
}



=== TEST 5: queries that are wrong
--- config eval: api()
--- steps eval
sub {
    my %sentences = (
        'The query holds a parameter that lists do not have.' => ['page=1', 'x', 'pagination%5boffset=1', 'Sorting=expires_at'],
        'The query holds a parameter twice.' => ['sorting=expires_at&sorting=expires_at',
            'pagination[offset]=1&pagination%5Boffset%5D=1'],
        'account_id must be a valid account id.' => ['account_id=', 'account_id=any', 'account_id=' . uc $account, 'account_id=%'],
        'sorting must be inserted_at, -inserted_at, expires_at or -expires_at.' => ['sorting=', 'sorting=id', 'sorting=%2Binserted_at'],
        'pagination[offset] must be a number from 0 on.' => [map { "pagination[offset]=$_" } '', -1, 'x', '1.5', '9' x 20],
        'pagination[page_size] must be a number from 1 to 100.' => [map { "pagination[page_size]=$_" } '', 0, 101, 'all'],
    );
    for my $sentence (sort keys %sentences) {
        is_answer(list($_), 400, bad_query($sentence), "?$_") for @{$sentences{$sentence}};
    }
    is_answer(list($_), 200, qr/"status":"success"/, "?$_") for '&', 'pagination%5Bpage_size%5D=%31', 'sorting=%2dexpires%5Fat&';
    is_answer(request(GET => '?'), 200, qr/"status":"success"/, 'an empty query');
}



=== TEST 6: whose tokens
--- config eval: api(any_caller())
--- steps eval
sub {
    redis('FLUSHALL');
    my $not_permitted = error_body('not_permitted', 'The caller is not permitted to do this.');
    my %ids = map { $_ => new_details({}, as($_))->{id} } $account, $neighbour, $stranger;
    for my $owner (sort keys %ids) {
        is("@{(page('', as($owner)))[0]}", $ids{$owner}, 'its own');
        is("@{(page(qq(account_id=$owner), as($owner)))[0]}", $ids{$owner}, 'its own, by its id');
        is("@{(page(qq(account_id=$owner), as('any')))[0]}", $ids{$owner}, 'of whoever may act for any account');
        for my $other (grep { $_ ne $owner } sort keys %ids) {
            my $answer = list("account_id=$owner", as($other));
            is_answer($answer, 403, $not_permitted, "another account's");
            like($answer->{headers}{'www-authenticate'}, qr/^Bearer .*error="insufficient_scope"$/, 'the challenge');
        }
    }
    is_answer(list('', as('any')), 400, bad_query('account_id is required, since the caller has no account.'), 'any, without an id');
    is_answer(list("account_id=$environment", as('any')), 200, qr/"item_count":0,/, 'an account that has never had a token');
    is_answer(list("account_id=$neighbour&x=1", as($account)), 400, qr/bad_request/, 'a bad query comes before the permission');
}



=== TEST 7: records that Redis dropped are neither listed nor counted, whatever retention their location had
--- config eval
my $short = api(any_caller(), 'api_token_retention 1s');
$short =~ s/ \{/_short {/;
api(any_caller(), 'api_token_retention 30d') . $short
--- steps eval
sub {
    redis('FLUSHALL');
    # by turns, so that in every order the two kinds stand among each other
    my (%kept, %dropped);
    my $expires = time + 2;
    for my $i (1 .. 30) {
        my $body = qq({"token_scope":"account","expires_at":") . date_time($expires) . '"}';
        my $id = json(request(POST => $i % 2 ? '' : '_short', $body, as($neighbour))->{content})->{details}{id};
        ($i % 2 ? \%kept : \%dropped)->{$id} = $i;
    }
    # and of accounts that nobody asks for between their expiry and their end
    for my $owner ($account, $stranger) {
        request(POST => '_short', qq({"token_scope":"account","expires_at":") . date_time($expires) . '"}', as($owner)) for 1 .. 3;
    }
    my $later = new_details({}, as($neighbour))->{id};
    my @kept = (sort(keys %kept), $later);
    is(set_sizes($neighbour), '31 31 0', 'at first');

    wait_until($expires);
    my ($ids, $pagination) = page('sorting=inserted_at&pagination[page_size]=100', as($neighbour));
    is("@$ids", join(' ', sort(keys %kept, keys %dropped, $later)), 'expired, and still there');
    is(set_sizes($neighbour), '31 31 30', 'all that have expired are waited for');

    wait_until($expires + 1.1);
    for my $sorting (@::orders) {
        my $down = $sorting =~ /^-/;
        for my $offset (0, 10) {
            ($ids, $pagination) = page(page_query($sorting, $offset, 5), as($neighbour));
            my @expected = $down ? reverse @kept : @kept;
            is("@$ids", "@expected[$offset .. $offset + 4]", "$sorting from $offset on: the ids");
            is($pagination->{item_count}, 16, "$sorting from $offset on: the count");
        }
    }
    is(set_sizes($neighbour), '16 16 15', 'nothing of the others is left');

    is(set_sizes($_), '3 3 0', 'not looked at yet') for $account, $stranger;
    my $answer = list('', as($account));
    is_answer($answer, 200, qr/"item_count":0,.*"summaries":\[\]/, 'a list');
    is(set_sizes($account), '0 0 0', 'a list forgets them');
    new_details({}, as($stranger));
    is(set_sizes($stranger), '1 1 0', 'a create forgets them');
}



=== TEST 8: a record that is gone before its time is found when its page is read
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    my @ids = sort map { new_details()->{id} } 1 .. 6;
    my ($prefix) = redis(KEYS => "*:token:$ids[0]") =~ /^(.*:)/;
    redis(DEL => map { "$prefix$_" } @ids[1, 2, 5]);
    my ($found, $pagination) = page(page_query('inserted_at', 0, 2));
    is("@$found", "@ids[0, 3]", 'the page is filled from what follows');
    is($pagination->{item_count}, 4, 'those that were seen to be gone are not counted');
    ($found, $pagination) = page('sorting=expires_at');
    is("@$found", "@ids[0, 3, 4]", 'all');
    is($pagination->{item_count}, 3, 'the count of all');
    is(set_sizes($account), '3 3 0', 'the sorted sets');
}



=== TEST 9: a multitude of records that have expired or are gone, since anybody looked
--- config eval: api('api_token_redis ' . redis_here('timeout=10s'))
--- steps eval
sub {
    # every third of them is kept until 2030
    my $fill = q{for i = 1, 12000 do
        local id = string.format('013xrzp12g3nqk8n%016d', i)
        redis.call('ZADD', KEYS[1], 1700000000, id)
        redis.call('ZADD', KEYS[2], 1700000001 + i % 7, id)
        if i % 3 == 0 then
            redis.call('HSET', KEYS[3] .. id, 'account_id', ARGV[1], 'token_scope', 'account', 'status', 'active',
                'inserted_at', 1700000000, 'updated_at', 1700000000, 'expires_at', 1700000001 + i % 7)
            redis.call('EXPIREAT', KEYS[3] .. id, 1893456000)
        end end};
    my $prefix = 'api_token:{' . substr($account, 10, 6) . '}:';
    my @keys = ("${prefix}account:$account:inserted_at", "${prefix}account:$account:expires_at", "${prefix}token:");
    for my $sorting (@::orders) {
        redis('FLUSHALL');
        my $id = new_details()->{id};
        redis(EVAL => $fill, 3, @keys, $account);
        my ($ids, $pagination) = page(page_query($sorting, $sorting =~ /^-/ ? 0 : 4000, 1));
        is("@$ids $pagination->{item_count}", "$id 4001", "$sorting: the one that is active, and the count");
        is(set_sizes($account), '4001 4001 4000', "$sorting: the sorted sets");
    }
}



=== TEST 10: a sorted set that is none is our fault
--- config eval: api()
--- steps eval
sub {
    redis('FLUSHALL');
    new_details();
    my ($key) = grep { /:inserted_at$/ } split /\n/, redis(KEYS => '*');
    redis(SET => $key, 'no sorted set');
    is_answer(list(''), 500, error_body('unexpected', 'Something went wrong on the server.'), 'WRONGTYPE');
}



=== TEST 11: a Redis that cannot write still lists
--- config eval: api()
--- steps eval
sub {
    for my $cannot (['full', [qw(CONFIG SET maxmemory 1)], [qw(CONFIG SET maxmemory 0)]], ['a replica', [qw(REPLICAOF 127.0.0.1 1)], [qw(REPLICAOF NO ONE)]]) {
        my ($name, $begin, $end) = @$cannot;
        redis('FLUSHALL');
        my $kept = new_details()->{id};
        my $time = time + 2;
        my $expired = new_details({expires_at => date_time($time)})->{id};
        my $gone = new_details()->{id};
        redis('DEL', 'api_token:{' . substr($gone, 10, 6) . "}:token:$gone");
        redis(@$begin);
        wait_until($time + 0.1);
        my ($ids, $pagination) = page('sorting=inserted_at');
        redis(@$end);
        is_deeply([sort @$ids], [sort $kept, $expired], "$name: what is there");
        is($pagination->{item_count}, 2, "$name: counted");
    }
}



=== TEST 12: nothing is left of accounts that nobody asks for
--- config eval
my $longer = api('api_token_retention 30d', 'api_token_caller account=any') =~ s{location \S+}{location /longer/api_token}r;
api('api_token_retention 1s', 'api_token_caller account=any') . $longer
--- steps eval
sub {
    my @names = qw(inserted_at expires_at ends_at);
    my $key = sub { 'api_token:{' . substr($account, 10, 6) . "}:account:$account:$_[0]" };
    my $ends = sub { redis('TTL', $key->($_[0])) + time };
    my $time = time + 3;
    my $first = new_details({account_id => $account, expires_at => date_time($time)});
    my $day = sub { my ($got, $end, $name) = @_; cmp_ok($got - $end, '>', 3500, "$name: longer than its records"); cmp_ok($got - $end, '<', 90100, "$name: a day at most") };
    $day->($ends->($_), $time, $_) for @names[0, 1];
    my $later = $time + 1000000;
    my $second = new_details({account_id => $account, expires_at => date_time($later)});
    $day->($ends->($_), $later, "$_, of a later one") for @names[0, 1];
    new_details({account_id => $account, expires_at => date_time($time + 100)});
    $day->($ends->($_), $later, "$_, of an earlier one") for @names[0, 1];
    my $revoked = (answers(talk("POST /longer/api_token/$second->{id}/revoke HTTP/1.0\r\n\r\n")))[0];
    is($revoked->{status}, 200, 'kept for longer');
    $day->($ends->($_), $later + 30 * 86400, "$_, of one that is kept") for @names[0, 1];
}
