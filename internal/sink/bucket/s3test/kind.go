package s3test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// Kind is a server of which one is run.
type Kind string

// KMSKey is the key that MinIO encrypts with, where it serves https.
const KMSKey = "test-key"

// The kinds.
const (
	// Versity is the Versity S3 gateway, over a folder.
	Versity Kind = "versity"
	// MinIO differs where stores do: it lists the uploads to an exact key
	// only, and knows nothing more of an upload that was completed.
	MinIO Kind = "minio"
)

const (
	// kindEnv asks for a kind, where a test does not.
	kindEnv = "SYNCER_S3_SERVER"
	// binaryEnv overrides where the Versity gateway is.
	binaryEnv = "SYNCER_VERSITYGW"
	// minioEnv overrides where MinIO is.
	minioEnv = "SYNCER_MINIO"
)

// StartMinIO runs MinIO for the test.
func StartMinIO(tb testing.TB) *Server {
	tb.Helper()
	return StartWith(tb, Options{Kind: MinIO})
}

func kindAsked(tb testing.TB) Kind {
	tb.Helper()
	switch kind := Kind(os.Getenv(kindEnv)); kind { //nolint:forbidigo // test code only
	case "", Versity:
		return Versity
	case MinIO:
		return MinIO
	default:
		tb.Fatalf("%s is %q: want %s or %s", kindEnv, kind, Versity, MinIO)
		return ""
	}
}

// commandLine is how a server is told where to listen (a second time for its
// console, if it has one) and whom to trust.
func (k Kind) commandLine(c bucket.Credentials, address, console, data, certificates string) (args, env []string) {
	if k == MinIO {
		args = []string{"server", "--quiet", "--address", address, "--console-address", console}
		encrypted := certificates != ""
		if !encrypted {
			certificates = filepath.Join(data, "none")
		}
		env = []string{"MINIO_ROOT_USER=" + c.AccessKeyID, "MINIO_ROOT_PASSWORD=" + c.SecretAccessKey, "MINIO_BROWSER=off", "HOME=" + data}
		if encrypted {
			key := make([]byte, 32)
			_, _ = rand.Read(key) // never fails
			env = append(env, "MINIO_KMS_SECRET_KEY="+KMSKey+":"+base64.StdEncoding.EncodeToString(key))
		}
		return append(args, "--certs-dir", certificates, filepath.Join(data, "drive")), env
	}
	args = []string{"--quiet", "--access", c.AccessKeyID, "--secret", c.SecretAccessKey, "--region", region}
	if certificates != "" {
		args = append(args, "--cert", filepath.Join(certificates, certificateFile), "--key", filepath.Join(certificates, keyFile))
	}
	return append(args, "--port", address, "posix", data), nil
}

// findBinary looks where make puts it, from wherever in the repository the
// test runs.
func (k Kind) findBinary(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("needs an S3 server: not under -short")
	}
	env, file, made := binaryEnv, "versitygw", "make test"
	if k == MinIO {
		env, file, made = minioEnv, "minio", "make test-minio"
	}
	if path := os.Getenv(env); path != "" { //nolint:forbidigo // test code only
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find the repository: %v", err)
	}
	for !exists(filepath.Join(dir, "tools", "s3", "go.mod")) {
		if dir == filepath.Dir(dir) {
			tb.Fatalf("no S3 server: not in the repository, and %s is not set", env)
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, ".cache", file)
	if !exists(path) {
		tb.Fatalf("no %s in .cache: run %s (or go test -short to do without)", file, made)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
