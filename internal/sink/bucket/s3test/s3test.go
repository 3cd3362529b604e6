// Package s3test runs a real S3 server for tests: the Versity gateway, which
// `make test` builds into .cache, or MinIO, which `make test-minio` does.
//
// Without that binary a test fails, so that a missing server never passes for
// a working store; under -short it is skipped.
package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"finoos-syncer/internal/sink/bucket"
)

const (
	region = "us-east-1"

	startTries   = 5
	startTimeout = 30 * time.Second
	startPoll    = 20 * time.Millisecond
)

// Server is an S3 server that lives as long as its test.
type Server struct {
	// Endpoint is its base URL.
	Endpoint string
	// URL is the store URL of a first, empty bucket; NewBucket gives more.
	URL string
	// Data is the folder in which it keeps each bucket as a folder, each object
	// as a file.
	Data string
	// Credentials are the only ones that it accepts.
	Credentials bucket.Credentials
	// Env hands the credentials to a child process, as KEY=value.
	Env []string
	// Client speaks to it, and trusts its certificate where it has one. Nil
	// where the default client does.
	Client *http.Client
	// Certificate is the file that a child process trusts it by; "" without TLS.
	Certificate string
	// Kind is which server it is: stores differ, also where both are right.
	Kind Kind

	admin *s3.Client
}

// Options are the server's.
type Options struct {
	// TLS serves https, with a certificate that only Client trusts. MinIO then has a
	// KMS, with the key KMSKey.
	TLS  bool
	Kind Kind // "" for the one that the environment asks for, else Versity
}

// Start runs a server for the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartWith(tb, Options{})
}

// StartWith runs a server with options.
func StartWith(tb testing.TB, opts Options) *Server {
	tb.Helper()
	kind := opts.Kind
	if kind == "" {
		kind = kindAsked(tb)
	}
	binary := kind.findBinary(tb)
	access, secret := "test"+rand.Text(), rand.Text()
	s := &Server{
		Kind:        kind,
		Credentials: bucket.Credentials{AccessKeyID: access, SecretAccessKey: secret},
		Env:         []string{"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=" + region},
	}
	scheme, certificates := "http", ""
	if opts.TLS {
		scheme = "https"
		s.Client, certificates = certificate(tb)
		s.Certificate = filepath.Join(certificates, certificateFile)
	}
	s.Data = tb.TempDir()
	for try := 1; ; try++ {
		address := freeAddress(tb)
		s.Endpoint = scheme + "://" + address
		s.admin = s.newAdmin()
		args, env := kind.commandLine(s.Credentials, address, freeAddress(tb), s.Data, certificates)
		p, err := launch(env, binary, args...)
		if err != nil {
			tb.Fatalf("start S3 server: %v", err)
		}
		if err = s.ready(tb, p); err == nil {
			tb.Cleanup(p.stop)
			break
		}
		p.stop()
		// Somebody may have taken the port between asking for a free one and
		// listening on it.
		if try == startTries {
			tb.Fatalf("start S3 server: %v\n%s", err, p.output.Bytes())
		}
	}
	s.URL = s.NewBucket(tb)
	return s
}

// NewBucket creates an empty bucket and returns its store URL, which has a
// query: add a prefix with [WithPrefix].
func (s *Server) NewBucket(tb testing.TB) string {
	tb.Helper()
	name := "test-" + strings.ToLower(rand.Text())
	if _, err := s.admin.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		tb.Fatalf("create bucket: %v", err)
	}
	query := url.Values{"endpoint": {s.Endpoint}, "region": {region}, "path_style": {"true"}}
	return "s3://" + name + "?" + query.Encode()
}

// WithPrefix adds a key prefix to a store URL.
func WithPrefix(storeURL, prefix string) string {
	base, query, _ := strings.Cut(storeURL, "?")
	return base + "/" + prefix + "?" + query
}

// Options open a store on this server.
func (s *Server) Options() bucket.Options {
	return bucket.Options{Credentials: &s.Credentials, HTTPClient: s.Client}
}

func (s *Server) newAdmin() *s3.Client {
	opts := s3.Options{
		Region: region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true,
		Credentials:      credentials.NewStaticCredentialsProvider(s.Credentials.AccessKeyID, s.Credentials.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	}
	if s.Client != nil {
		opts.HTTPClient = s.Client
	}
	return s3.New(opts)
}

// ready waits until the server answers to its own credentials: whoever else
// listens on the port knows nothing of them.
func (s *Server) ready(tb testing.TB, p *process) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		_, err := s.admin.ListBuckets(ctx, &s3.ListBucketsInput{})
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	output *bytes.Buffer // to be read once done is closed
	done   chan struct{}
}

// guard runs its arguments until its standard input closes: a test binary that
// is killed takes its server along.
const guard = `exec 3<&0
"$@" </dev/null 3<&- & pid=$!
{ cat <&3; kill -9 $pid; } >/dev/null 2>&1 &
exec 3<&-
wait $pid`

func launch(env []string, binary string, args ...string) (*process, error) {
	p := &process{output: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd = exec.Command("sh", append([]string{"-c", guard, "sh", binary}, args...)...) // stop ends it, after the test's other cleanups
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Env = append(env, "PATH="+os.Getenv("PATH")) //nolint:forbidigo // test code only; not our VGW_ variables
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // killed, or the output says why
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.stdin.Close() // fails where it ended by itself
	<-p.done
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	return l.Addr().String()
}
