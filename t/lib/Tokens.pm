package Tokens;

# Tokens for tests of the other routes than create, made by the API.
#
# An API with the directive of `any_caller` serves the account that the request's header X-Account names.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use POSIX    ();
use Time::HiRes ();

use ApiToken ();

our @EXPORT = qw($neighbour $stranger any_caller as date_time wait_until new_details token_that_is
    answer_text details_answer %can status_of
    not_found not_allowed);

# other accounts: one of the same partition as $ApiToken::account, one of another
our $neighbour = '013xrzp12g3nqk8n0000000000000001';
our $stranger  = '013xrzp12g00000g0000000000000001';

sub any_caller { return 'api_token_caller account=$http_x_account' }

# the headers of a caller's account
sub as { return {'X-Account' => $_[0]} }

# a time as the API writes it
sub date_time { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub wait_until {
    my $left = $_[0] - Time::HiRes::time();
    Time::HiRes::sleep($left + 0.005) if $left > 0;
}

# a new token's details
sub new_details {
    my ($fields, $headers) = @_;
    my $answer = Requests::post({token_scope => 'account', %{$fields // {}}}, $headers);
    die "create: $answer->{content}" if $answer->{status} != 200;
    return JSON::PP::decode_json($answer->{content})->{details};
}

# the id of a new token of this status; one that is to be expired is so a second later
sub token_that_is {
    my ($status, $headers, $fields) = @_;
    if ($status eq 'expired') {
        my $answer;
        do {
            $answer = Requests::post({token_scope => 'account', expires_at => date_time(time + 1), %{$fields // {}}}, $headers);
        } while $answer->{status} == 422;
        return JSON::PP::decode_json($answer->{content})->{details}{id};
    }
    my $id = new_details($fields, $headers)->{id};
    my $action = {suspended => 'suspend', revoked => 'revoke'}->{$status};
    if ($action) {
        my $answer = Requests::request(POST => "/$id/$action", '{}', $headers);
        die "$action: $answer->{content}" if $answer->{status} != 200;
    }
    return $id;
}

# what may be done to a token of a status
our %can = (
    active    => [qw(revoke suspend)],
    suspended => [qw(activate revoke)],
    revoked   => [qw(delete)],
    expired   => [qw(delete revoke)],
);

# the text of an answer; the members of all of the API's are in alphabetical order
sub answer_text { return JSON::PP->new->canonical->encode($_[0]) . "\n" }

# the text of the answer with these details, changed so
sub details_answer {
    my ($details, %changed) = @_;
    my %details = (%$details, %changed);
    my %may = map { $_ => 1 } @{$can{$details{status}}};
    $details{available_actions} = {map { $_ => $may{$_} ? JSON::PP::true : JSON::PP::false } qw(activate delete revoke suspend)};
    return answer_text({details => \%details, status => 'success'});
}

sub not_found   { return Requests::error_body('not_found', 'There is no such token or path.') }
sub not_allowed { return Requests::error_body('invalid_action', "The token's status does not allow this.") }

# a token's status, as the API tells it, or the status of the answer
sub status_of {
    my ($id, $headers) = @_;
    my $answer = Requests::request(GET => "/$id", undef, $headers);
    return $answer->{status} == 200 ? JSON::PP::decode_json($answer->{content})->{details}{status} : $answer->{status};
}

1;
