// Package trust says which certificates a server may have: those that this machine
// trusts, and beside them those of an authority of one's own.
package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
)

// mostBytes bounds a file of certificates: all that a system trusts takes a quarter.
const mostBytes = 1 << 20

// Pool is what the system trusts, and the certificates of a PEM file; nil, which is the
// system's alone, where no file is named. Errors name the file, and nothing of it.
func Pool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // none of one's own, and that is no error
	}
	pem, err := read(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // an image without any trusts these alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate: it has to be PEM (-----BEGIN CERTIFICATE-----)", file)
	}
	return pool, nil
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", file, os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	pem, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(pem) > mostBytes:
		return nil, fmt.Errorf("%s is larger than %d KiB: is it the right file?", file, mostBytes>>10)
	}
	return pem, nil
}
