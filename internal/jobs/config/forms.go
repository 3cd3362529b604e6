package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
	"finoos-syncer/internal/sink/bucket"
)

// setForm checks a text that was set already by what its key asks of it. Some
// forms have one spelling only: v is then set to that.
func setForm(v reflect.Value, form, text string) error {
	switch form {
	case "base_url":
		if err := finoos.CheckBaseURL(text); err != nil {
			return err
		}
		// The state is pinned to this text: one address, one spelling.
		v.SetString(strings.TrimRight(text, "/"))
		return nil
	case "sink_url":
		return checkSinkURL(text)
	case "return_url":
		return checkReturnURL(text)
	case "cron":
		return checkCron(text)
	case "account":
		return checkAccount(text)
	case "compression":
		return checkCompression(text)
	case "operation_path":
		if !strings.HasPrefix(text, "/") {
			return errors.New("is no path: it begins with a /, and follows base_url")
		}
	}
	if strings.ContainsAny(text, "\x00\r\n") {
		return errors.New("holds a line end")
	}
	return nil
}

// checkName checks a key of a mapping whose keys are free.
func checkName(form, name string) error {
	if form != "operation_path" {
		return nil
	}
	var names []string
	for _, op := range finoos.Operations() {
		if op.Name == name {
			return nil
		}
		names = append(names, op.Name)
	}
	if hint := human.Meant(name, names); hint != "" {
		return errors.New("unknown operation" + hint)
	}
	return errors.New("unknown operation: there are " + strings.Join(names, ", "))
}

// checkSinkURL checks what can be told without opening the store.
func checkSinkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "s3" && u.Scheme != "file"):
		return errors.New("is no place to write to: write s3://bucket/prefix?region=eu-central-1 or file:///folder")
	case u.User != nil:
		return errors.New("holds a user or password: S3 credentials come from the environment, a profile or a role")
	case u.Scheme == "s3" && u.Host == "":
		return errors.New("names no bucket: write s3://bucket/prefix")
	case u.Scheme == "file" && (u.Host+u.Path == "" || u.Host != "" && u.Host != "." && u.Host != ".."):
		return errors.New("names no folder: write file:///folder, or file://./folder for a relative one")
	}
	if err := bucket.CheckURL(text); err != nil {
		return fmt.Errorf("is an %w", err) // "invalid store URL: …"
	}
	switch q := u.Query(); {
	case u.Scheme == "file" && u.Host == "" && path.Clean(u.Path) == "/":
		return errors.New("is the root of this machine's disk: name a folder, such as file:///var/lib/syncer/lake")
	case u.Scheme == "file" || q.Get("endpoint") != "": // whose names are that store's own
	case !bucketName.MatchString(u.Host):
		return errors.New("names a bucket that Amazon's S3 cannot have: 3 to 63 lower-case letters, digits, dots and -; another store needs endpoint=")
	case q.Has("region") && !awsRegion.MatchString(q.Get("region")):
		return errors.New("names a region that is none of Amazon's: write one such as region=eu-central-1; another store needs endpoint=")
	}
	return nil
}

// What Amazon calls buckets and regions.
var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	awsRegion  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// maxReturnURL is about what every browser and gateway takes.
const maxReturnURL = 2000

// checkReturnURL checks where users are sent back to: a page, or an app that has a
// scheme of its own.
func checkReturnURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || strings.ContainsAny(text, " \t\"<>\\"),
		u.Opaque != "" && u.Opaque[0] >= '0' && u.Opaque[0] <= '9', // host:port
		(u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
		return errors.New("is no absolute URL: write https://app.example/done, or an app's own such as myapp://done")
	case u.User != nil:
		return errors.New("holds a user or password, which the bank and the user would get to see")
	case slices.Contains([]string{"javascript", "vbscript", "data", "file", "about", "blob"}, u.Scheme):
		return errors.New("leads to no page and no app")
	case len(text) > maxReturnURL:
		return fmt.Errorf("is longer than %d characters", maxReturnURL)
	}
	return nil
}

var compression = regexp.MustCompile(`^(zstd(:([1-9]|1[0-9]|2[0-2]))?|snappy|none)$`)

func checkCompression(text string) error {
	if !compression.MatchString(text) {
		return errors.New("is no compression: write zstd, zstd:1 to zstd:22, snappy or none")
	}
	return nil
}

var account = regexp.MustCompile(`^\d{12}$`)

func checkAccount(text string) error {
	if !account.MatchString(text) {
		return errors.New("is no AWS account: it has 12 digits")
	}
	return nil
}
