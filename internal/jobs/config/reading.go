package config

import (
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"finoos-syncer/internal/finoos"
)

// purpose is what a configuration is read for, and so what of it has to be known.
type purpose int

const (
	toRun   purpose = iota // every value
	toRead                 // what leads to the lake: nobody is asked there who has to be shown a secret
	toCheck                // none: the file itself is looked at
)

// Notes are what a reading found beside values and mistakes.
type Notes struct {
	// Unset are values that are not known, since a variable is not set or a secret's
	// file is not there. [Load] knows none: it takes that for a mistake.
	Unset []Unset
	// Plain are secrets that stand in the file itself, for everybody who may read it.
	Plain []Problem
}

// Unset is a value that is not known.
type Unset struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Key    string `json:"key"`
	// Variables are those that are not set; none where it is a file that is absent.
	Variables []string `json:"variables,omitempty"`
}

// Why says what is missing.
func (u Unset) Why() string {
	if len(u.Variables) == 0 {
		return "its file is not there"
	}
	return strings.Join(u.Variables, ", ") + " not set"
}

// Knows reports whether the value of a key is known, given or left out.
func (c *Config) Knows(key string) bool {
	return !slices.ContainsFunc(c.Notes.Unset, func(u Unset) bool { return u.Key == key || u.Key == key+"_file" })
}

// LoadToRead is [Load] for who looks into the lake and asks nobody else: what is below
// finoos, keys of masks and addresses of users need not be known ([Config.Knows]).
func LoadToRead(path string, getenv func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return newLoader(path, getenv, toRead).load(data)
}

// Checked is what can be said of a configuration without its secrets.
type Checked struct {
	// Config has what could be read, whatever is wrong beside it.
	Config   *Config
	Problems []Problem
}

// Check looks at the file at path and at nothing else: no variable has to be set, and
// no secret's file has to be there.
func Check(path string, getenv func(string) (string, bool)) Checked {
	data, err := readFile(path)
	if e, ok := err.(*Error); ok { //nolint:errorlint // readFile makes it
		return Checked{Config: &Config{}, Problems: e.Problems}
	}
	l := newLoader(path, getenv, toCheck)
	cfg := l.read(data)
	return Checked{Config: cfg, Problems: sorted(l.problems)}
}

// needs reports whether the value of a key has to be known.
func (l *loader) needs(path string) bool {
	switch l.purpose {
	case toRead:
		parts := strings.Split(path, ".")
		of := strings.TrimSuffix(strings.Join(parts[min(2, len(parts)):], "."), "_file")
		return parts[0] != "finoos" && (parts[0] != "jobs" || !slices.Contains([]string{"mask_key", "sync.user_ip", "sync.user_ips"}, of))
	case toCheck:
		return false
	case toRun:
	}
	return true
}

// unset notes a value that is not known, and need not be.
func (l *loader) unset(n *yaml.Node, path string, variables []string) {
	l.notes.Unset = append(l.notes.Unset, Unset{File: l.name, Line: n.Line, Column: n.Column, Key: path, Variables: variables})
}

// knows is [Config.Knows] of what was read so far.
func (l *loader) knows(path string) bool { return (&Config{Notes: l.notes}).Knows(path) }

// withDefault is a value that is there although no variable is set.
var withDefault = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*:-[^}]+\}`)

// notePlain notes a secret that whoever reads the file has.
func (l *loader) notePlain(n *yaml.Node, path, text string) {
	how := "is a secret, and stands in the file as it is: write ${NAME}, or name a file that holds it by " + path[strings.LastIndexByte(path, '.')+1:] + "_file"
	switch {
	case text == "":
		return
	case withDefault.MatchString(n.Value):
		how = "is a secret, and its default stands in the file as it is: write ${NAME} alone"
	case strings.Contains(n.Value, "${"):
		return
	}
	l.notes.Plain = append(l.notes.Plain, Problem{File: l.name, Line: n.Line, Column: n.Column, Key: path, Message: how})
}

// simulated reports whether an API is one that can have no secrets: on this machine, or
// under a name that there will never be.
func simulated(baseURL string) bool {
	u, err := url.Parse(baseURL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost" ||
		slices.ContainsFunc([]string{".localhost", ".invalid", ".test"}, func(reserved string) bool { return strings.HasSuffix(host, reserved) })
}

// isSecret reports whether a field holds what nobody may see.
func isSecret(v any) bool {
	_, ok := v.(*finoos.Secret)
	return ok
}

// absent reports whether a file is not there, which is no fault of its content.
func absent(err error) bool { return os.IsNotExist(err) }
