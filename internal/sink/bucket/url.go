package bucket

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// location is a parsed store URL.
type location struct {
	folder string // path of a folder; "" for S3

	bucket    string
	prefix    string // "" or "a/b/"
	region    string
	endpoint  string
	pathStyle bool
}

// inTheClear says whether requests leave this machine without encryption.
func (l location) inTheClear() bool {
	u, err := url.Parse(l.endpoint)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.Unmap().IsLoopback()
	return !local
}

// CheckURL says what is wrong with a store URL, as Open would, without looking
// whether anything is there.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// parseURL reads a store URL. Its errors never repeat the URL as a whole:
// people do put passwords there.
func parseURL(raw string) (location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return location{}, errors.New("invalid store URL: use s3://bucket/prefix?region=… or file:///path")
	}
	if u.User != nil {
		return location{}, errors.New("invalid store URL: it holds credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or role")
	}
	if u.Fragment != "" {
		return location{}, errors.New("invalid store URL: # is not allowed in it")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return location{}, errors.New("invalid store URL: the part after ? is not key=value&key=value")
	}
	switch u.Scheme {
	case "s3":
		return parseS3(u, query)
	case "file":
		return parseFile(u, query)
	case "":
		return location{}, errors.New("invalid store URL: no scheme; use s3://bucket/prefix?region=… or file:///path")
	default:
		return location{}, fmt.Errorf("invalid store URL: scheme %q is not s3 or file", u.Scheme)
	}
}

func parseFile(u *url.URL, query url.Values) (location, error) {
	if err := allow(query); err != nil {
		return location{}, err
	}
	path := u.Path
	switch {
	case u.Opaque != "" || path == "" && u.Host == "":
		return location{}, errors.New("invalid store URL: use file:///absolute/path or file://./relative/path")
	case u.Host == "." || u.Host == "..":
		path = u.Host + path
	case u.Host != "":
		return location{}, fmt.Errorf("invalid store URL: %q stands where a host would; use file:///absolute/path or file://./relative/path", u.Host)
	}
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return location{}, fmt.Errorf("resolve store folder: %w", err)
	}
	return location{folder: abs}, nil
}

func parseS3(u *url.URL, query url.Values) (location, error) {
	if err := allow(query, "region", "endpoint", "path_style"); err != nil {
		return location{}, err
	}
	loc := location{
		bucket:   u.Host,
		region:   query.Get("region"),
		endpoint: strings.TrimSuffix(query.Get("endpoint"), "/"),
	}
	if loc.bucket == "" || u.Port() != "" {
		return location{}, errors.New("invalid store URL: use s3://bucket/prefix?region=…, and endpoint= for another host")
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := ValidKey(prefix); err != nil {
			return location{}, fmt.Errorf("invalid store URL: prefix: %w", err)
		}
		loc.prefix = prefix + "/"
	}
	if loc.endpoint != "" {
		if err := validEndpoint(loc.endpoint); err != nil {
			return location{}, err
		}
		// What speaks S3 without being S3 rarely has a name per bucket.
		loc.pathStyle = true
	}
	if value := query.Get("path_style"); value != "" {
		style, err := strconv.ParseBool(value)
		if err != nil {
			return location{}, fmt.Errorf("invalid store URL: path_style=%s is not true or false", value)
		}
		loc.pathStyle = style
	}
	return loc, nil
}

func validEndpoint(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("invalid store URL: endpoint= must be http://host:port or https://host:port and nothing more")
	}
	return nil
}

// allow refuses query keys other than those given, and any given twice.
func allow(query url.Values, keys ...string) error {
	for key, values := range query {
		if !slices.Contains(keys, key) {
			if len(keys) == 0 {
				return fmt.Errorf("invalid store URL: a folder has no %q (nothing may follow a ?)", key)
			}
			return fmt.Errorf("invalid store URL: unknown %q; allowed are %s", key, strings.Join(keys, ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("invalid store URL: %s= is given twice", key)
		}
	}
	return nil
}
