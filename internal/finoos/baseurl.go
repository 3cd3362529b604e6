package finoos

import (
	"errors"
	"net/url"
	"strings"
)

// CheckBaseURL checks a URL that all paths are below. Its error says what is wrong
// and what to write, and none of the URL: it may hold a password.
func CheckBaseURL(text string) error {
	_, err := baseURL(text)
	return err
}

// baseURL returns the URL without a slash at its end.
func baseURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return "", errors.New("is no address: write one such as https://os.fino.cloud/api")
	case u.User != nil:
		return "", errors.New("holds a user or password: credentials belong in client_id and client_secret")
	case u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#"):
		return "", errors.New("holds a query or fragment: write the address up to the path only")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
