package bucket_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

func TestAStoreMayHaveACertificateOfAnAuthorityOfOnesOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<ListBucketResult/>"))
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	opts := bucket.Options{Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, Roots: roots}
	openStore(t, "s3://acme/lake?path_style=true&endpoint="+server.URL, opts)
}
