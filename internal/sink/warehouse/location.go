package warehouse

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The kinds of places that a lake can be in.
const (
	inFolder = "file"
	inS3     = "s3"
	inGCS    = "gs"
)

// lakePlace is where a lake is.
type lakePlace struct {
	kind      string
	bucket    string // "" in a folder
	path      string // of the prefix below the bucket, or of the folder; no slash at its end
	region    string
	endpoint  string // host and port of a store that is not Amazon's; "" for Amazon
	pathStyle bool
	plain     bool // the endpoint speaks http
}

// parseLocation reads a sink's URL, or a folder. Errors do not repeat it: a URL
// may hold what should not be shown.
func parseLocation(text string) (lakePlace, error) {
	if text == "" {
		return lakePlace{}, errors.New("no location: name the folder or URL that the lake is in")
	}
	if !isShown(text) {
		return lakePlace{}, errNotShown
	}
	if !strings.Contains(text, "://") {
		return lakePlace{kind: inFolder, path: trimSlashes(text)}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return lakePlace{}, errors.New("the location is no URL: write s3://bucket/prefix, gs://bucket/prefix, file:///folder or a folder")
	}
	l := lakePlace{kind: u.Scheme, bucket: u.Host, path: strings.Trim(u.Path, "/")}
	switch {
	case u.User != nil:
		return lakePlace{}, errors.New("the location holds a user or password: credentials belong to the warehouse")
	case u.Scheme == inFolder:
		if !isShown(u.Host + u.Path) {
			return lakePlace{}, errNotShown
		}
		return lakePlace{kind: inFolder, path: trimSlashes(u.Host + u.Path)}, nil
	case u.Scheme != inS3 && u.Scheme != inGCS:
		return lakePlace{}, fmt.Errorf("the location begins with %s://, which no warehouse is printed for: write s3://bucket/prefix, gs://bucket/prefix, file:///folder or a folder", u.Scheme)
	case u.Host == "":
		return lakePlace{}, fmt.Errorf("the location names no bucket: write %s://bucket/prefix", u.Scheme)
	case !isShown(u.Host) || !isShown(u.Path): // what stood there as %0A
		return lakePlace{}, errNotShown
	case strings.ContainsAny(u.Host+u.Path, quotes):
		return lakePlace{}, errQuotes
	}
	q := u.Query()
	if !isPlainName(q.Get("region"), "-") {
		return lakePlace{}, errors.New("the location's region is no name of a region: write region=eu-central-1")
	}
	l.region, l.pathStyle = q.Get("region"), q.Get("path_style") == "true"
	if endpoint := q.Get("endpoint"); endpoint != "" {
		e, err := url.Parse(endpoint)
		if err != nil || e.Host == "" || !isPlainName(e.Host, "-.:[]") {
			return lakePlace{}, errors.New("the location's endpoint is no address: write endpoint=https://host")
		}
		l.endpoint, l.plain = e.Host, e.Scheme == "http"
	}
	return l, nil
}

// quotes end a text in one engine or another, or escape what comes next.
const quotes = "'\"`\\"

var (
	errNotShown = errors.New("the location has characters that are not shown (a control, the end of a line, no UTF-8): it stands in a script that somebody reads and runs")
	errQuotes   = errors.New("the location has a quote or a backslash, which engines read in different ways: give --location of a prefix without")
)

// isShown says whether a text is what it looks like.
func isShown(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}

// isPlainName says whether a text is of ASCII letters, digits and some others.
func isPlainName(text, others string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// globs are what engines read as patterns.
const globs = "*?[]{}"

// hasNoGlob reports an error for a prefix that an engine would read as a pattern:
// what matches it, too, would be read.
func (l lakePlace) hasNoGlob(engine, signs string) error {
	if i := strings.IndexAny(l.path, signs); i >= 0 {
		return fmt.Errorf("%s reads %q in a location as part of a pattern: give --location of a prefix without", engine, l.path[i:i+1])
	}
	return nil
}

// trimSlashes leaves the root alone.
func trimSlashes(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return path
}

// below is the address of something below the prefix, under a scheme.
func (l lakePlace) below(scheme, rest string) string {
	if l.kind == inFolder {
		return strings.TrimSuffix(l.path, "/") + "/" + rest
	}
	if l.path != "" {
		rest = l.path + "/" + rest
	}
	return scheme + "://" + l.bucket + "/" + rest
}

// shown is the location in a comment, which no engine may take to have ended.
func (l lakePlace) shown() string { return strings.TrimRight(l.below(l.kind, ""), "/") }

// isFrom reports an error unless the engine reads places of these kinds.
func (l lakePlace) isFrom(engine string, kinds ...string) error {
	if slices.Contains(kinds, l.kind) {
		return nil
	}
	var forms []string
	for _, k := range kinds {
		forms = append(forms, map[string]string{inFolder: "a folder", inS3: "s3://bucket/prefix", inGCS: "gs://bucket/prefix"}[k])
	}
	return fmt.Errorf("%s does not read that location: give --location as %s", engine, strings.Join(forms, " or "))
}

// isAmazon reports an error for a store that is not Amazon's own.
func (l lakePlace) isAmazon(engine string) error {
	if l.endpoint != "" {
		return fmt.Errorf("%s reads Amazon's S3 only, and the location names another endpoint: give --location of a copy there", engine)
	}
	return nil
}

// literal is a text as an SQL literal. A quote can only be one of a folder, which
// DuckDB alone reads: there it is doubled, and a backslash means itself.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
