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
	if kind := answer.kind(); kind != nil {
		return fmt.Errorf("%s: %w: %s", doing, kind, answer.detail)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return fmt.Errorf("%s: %s", doing, answer.detail)
}

// openError adds to the first answer what its reader should look at.
func openError(ctx context.Context, loc location, err error) error {
	answer := readAnswer(err)
	doing := "open bucket " + loc.bucket
	switch {
	case answer.region != "" && answer.region != loc.region:
		return denied("%s: the bucket is in %s; set region=%s in the URL (%s)", doing, answer.region, answer.region, answer.detail)
	case answer.code == "NoSuchBucket":
		return denied("%s: there is no such bucket: %s; check the name in the URL", doing, answer.detail)
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

type deniedError struct{ text string }

func (e *deniedError) Error() string        { return e.text }
func (e *deniedError) Is(target error) bool { return target == ErrDenied }

// storeAnswer is what is known of a failed request.
type storeAnswer struct {
	status int // 0: there was no answer
	code   string
	region string
	detail string
}

func readAnswer(err error) storeAnswer {
	var a storeAnswer
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		a.status = response.HTTPStatusCode()
		a.region = response.Response.Header.Get("X-Amz-Bucket-Region")
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
	facts := []string{a.code}
	if a.status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", a.status))
	}
	if response != nil && response.ServiceRequestID() != "" {
		facts = append(facts, "request "+response.ServiceRequestID())
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
	case "NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken",
		"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "KMS.DisabledException", "KMS.NotFoundException":
		return ErrDenied
	case "ObjectParentIsFile", "ExistingObjectIsDirectory", "DirectoryObjectContainsData":
		return nil // 409 of a store made of folders; repeating does not help
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMovedPermanently:
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
