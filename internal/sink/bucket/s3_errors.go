package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// s3Error turns what the SDK says into one of this package's errors. It is
// the only reader of status codes. Nothing of the SDK's own error is kept in
// the chain: it holds URLs and headers, and its timeouts would pass for the
// caller's.
func s3Error(ctx context.Context, doing string, err error) error {
	answer := readAnswer(err)
	kind, advice := answer.kind(), answer.advice()
	switch {
	case errors.Is(kind, ErrDenied) && advice != "":
		return denied("%s: %s: %s", doing, advice, answer.detail)
	case answer.refusesChecksum():
		return fmt.Errorf("%s: %w: %s; %s", doing, ErrUnsupported, answer.detail, withoutChecksums)
	case kind != nil:
		return fmt.Errorf("%s: %w: %s", doing, kind, answer.detail)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return fmt.Errorf("%s: %s", doing, answer.detail)
}

// withoutChecksums is what to do about a store that knows no checksums.
const withoutChecksums = "it knows no checksums: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required and AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"

// openError adds to the first answer what its reader should look at. region is what
// the request was signed for.
func openError(ctx context.Context, loc location, region string, err error) error {
	answer := readAnswer(err)
	doing := "open bucket " + loc.bucket
	switch {
	case answer.region != "" && answer.region != region:
		return denied("%s: the bucket is in %s; set region=%s in the URL (%s)", doing, answer.region, answer.region, answer.detail)
	case answer.advice() != "" && errors.Is(answer.kind(), ErrDenied):
		return s3Error(ctx, doing, err)
	case answer.status == http.StatusUnauthorized, answer.status == http.StatusForbidden:
		return fmt.Errorf("%w; check the credentials, the permission s3:ListBucket, and the bucket's owner", s3Error(ctx, doing, err))
	case answer.status/100 == 4 && answer.status != http.StatusTooManyRequests:
		return denied("%s: %s; check the credentials, and name, region and endpoint in the URL", doing, answer.detail)
	case answer.status != 0:
		return s3Error(ctx, doing, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return fmt.Errorf("%s: cannot reach the store: %s; check region and endpoint in the URL", doing, answer.detail)
}

// denied is an ErrDenied in words of its own.
func denied(format string, args ...any) error {
	return &deniedError{text: fmt.Sprintf(format, args...)}
}

// SaysWhatToDo says whether an ErrDenied is no matter of permissions, and tells in its
// text what to put right.
func SaysWhatToDo(err error) bool {
	_, is := errors.AsType[*deniedError](err)
	return is
}

type deniedError struct{ text string }

func (e *deniedError) Error() string        { return e.text }
func (e *deniedError) Is(target error) bool { return target == ErrDenied }

// storeAnswer is what is known of a failed request.
type storeAnswer struct {
	status int // 0: there was no answer
	code   string
	region string
	goTo   string // the host that a redirect names
	detail string
}

func readAnswer(err error) storeAnswer {
	var a storeAnswer
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		a.status = response.HTTPStatusCode()
		a.region = response.Response.Header.Get("X-Amz-Bucket-Region")
		if to, err := url.Parse(response.Response.Header.Get("Location")); err == nil {
			a.goTo = clean(to.Host)
		}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		if a.status != 0 {
			a.detail = fmt.Sprintf("HTTP %d %s", a.status, http.StatusText(a.status))
			return a
		}
		a.detail = transportDetail(err)
		return a
	}
	a.code = api.ErrorCode()
	facts := []string{clean(a.code)}
	if a.status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", a.status))
	}
	if response != nil && response.ServiceRequestID() != "" {
		facts = append(facts, "request "+clean(response.ServiceRequestID()))
	}
	a.detail = strings.Join(facts, ", ")
	if message := clean(api.ErrorMessage()); message != "" && message != a.code {
		a.detail = message + " (" + a.detail + ")"
	}
	return a
}

// kind is the meaning of an answer, nil where it leaves the outcome open.
func (a storeAnswer) kind() error {
	switch a.code {
	case "NoSuchUpload":
		return ErrNoUpload
	case "InvalidPart", "InvalidPartOrder", "InvalidPartNumber", "EntityTooSmall", "EntityTooLarge", "MalformedXML":
		return ErrBadUpload // so completions are answered, and will be again
	case "NoSuchBucket", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken",
		"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired":
		return ErrDenied
	case "ObjectParentIsFile", "ExistingObjectIsDirectory", "DirectoryObjectContainsData":
		return nil // 409 of a store made of folders; repeating does not help
	}
	if a.isElsewhere() || strings.HasPrefix(a.code, "KMS.") && a.status/100 == 4 {
		return ErrDenied
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		// Only what is certainly about the object: some stores answer 404 for
		// an unknown user too. A HEAD has no code of its own.
		if a.code == "NoSuchKey" || a.code == "NotFound" {
			return ErrNotExist
		}
	case http.StatusConflict:
		return ErrConflict
	case http.StatusPreconditionFailed:
		return ErrPrecondition
	case http.StatusNotImplemented:
		return ErrUnsupported
	}
	return nil
}

// isElsewhere says whether the bucket is where the request was not sent to, or
// signed for.
func (a storeAnswer) isElsewhere() bool {
	switch a.code {
	case "PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed",
		"IllegalLocationConstraintException", "IncorrectEndpoint", "InvalidRegion":
		return true
	}
	return a.status/100 == 3 && a.status != http.StatusNotModified
}

// advice is what a refusal means that is no matter of permissions, "" for those that
// are.
func (a storeAnswer) advice() string {
	switch a.code {
	case "RequestTimeTooSkewed", "RequestExpired":
		return "the clock of this machine is not the store's: set it"
	case "NoSuchBucket":
		return "there is no such bucket: check the name in the URL"
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return "the credentials have expired: get new ones"
	}
	switch {
	case strings.HasPrefix(a.code, "KMS."):
		return "the key of the encryption cannot be used: check sink.kms_key_id, and the key"
	case !a.isElsewhere():
		return ""
	case a.region != "":
		return "the bucket is in " + a.region + ": set region=" + a.region + " in the URL"
	case a.goTo != "":
		return "the bucket is elsewhere, and the redirect to " + a.goTo + " is not followed: check region and endpoint in the URL"
	}
	return "the bucket is elsewhere: check region and endpoint in the URL"
}

// isUnhappy says whether a store answered that it could not: with a status that says
// so, or behind one that does not.
func (a storeAnswer) isUnhappy() bool {
	return a.kind() == nil && (a.status/100 == 5 || a.status/100 == 2)
}

// refusesChecksum says whether a store did not understand what a checksum is sent
// in, rather than found it wrong.
func (a storeAnswer) refusesChecksum() bool {
	if a.status != http.StatusBadRequest && a.status != http.StatusNotImplemented {
		return false
	}
	switch a.code {
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch":
		return false
	}
	text := strings.ToLower(a.detail)
	return (strings.Contains(text, "x-amz-checksum") || strings.Contains(text, "x-amz-sdk-checksum") || strings.Contains(text, "trailer")) &&
		!strings.Contains(text, "required") && !strings.Contains(text, "is invalid")
}

// refusesCondition says whether a store did not understand a conditional
// header, rather than found it unmet.
func (a storeAnswer) refusesCondition() bool {
	switch a.code {
	case "NotImplemented", "InvalidArgument", "InvalidRequest", "MethodNotAllowed", "Unsupported", "BadRequest":
		return true
	case "": // the answer gives no reason
		return a.status == http.StatusBadRequest || a.status == http.StatusNotImplemented
	}
	return a.status == http.StatusNotImplemented
}

// refusesListing says whether a store does not know how to list uploads. It is
// the bucket that is listed: that nothing is found there cannot be.
func (a storeAnswer) refusesListing() bool {
	return a.code != "NoSuchBucket" && (a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed)
}

// transportDetail words an error without an answer, leaving out the URL.
func transportDetail(err error) string {
	inner, tried := err, ""
	if operation, ok := errors.AsType[*smithy.OperationError](inner); ok {
		inner = operation.Err
	}
	if attempts, ok := errors.AsType[*retry.MaxAttemptsError](inner); ok {
		inner = attempts.Err
		tried = fmt.Sprintf(" (%d attempts)", attempts.Attempt)
	}
	if request, ok := errors.AsType[*url.Error](inner); ok {
		inner = request.Err
	}
	return clean(inner.Error()) + tried
}

// maxDetail caps what a store may add to an error, in bytes.
const maxDetail = 300

// secrets match what signed requests and access keys look like.
var secrets = regexp.MustCompile(`(?i)\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|(?:X-Amz-[A-Za-z-]+|Credential|Signature|AWSAccessKeyId)=[^\s&",]+`)

// clean makes a store's message fit for a log line.
func clean(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	message = secrets.ReplaceAllString(message, "[redacted]")
	if len(message) > maxDetail {
		message = strings.ToValidUTF8(message[:maxDetail], "") + "…"
	}
	return message
}
