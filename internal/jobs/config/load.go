package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"finoos-syncer/internal/human"
)

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

// Load reads the configuration file at path. See [Parse].
func Load(path string, getenv func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, getenv)
}

// readFile reads a configuration file. Its errors are *Error.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		hint := "name the file with --config"
		if absent(err) {
			hint += ", or begin one with syncer init"
		}
		return nil, configError([]Problem{{File: path, Message: fmt.Sprintf("cannot be read: %v; %s", bare(err), hint)}})
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, configError([]Problem{{File: path, Message: fmt.Sprintf("cannot be read: %v", bare(err))}})
	}
	return data, nil
}

// Parse reads a configuration, called name in errors and for relative
// paths of secret files. Decoding is strict, and all problems are reported at
// once: the error is an *Error, and wherever there is one, the
// configuration is nil. Environment variables are asked for by getenv only.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return newLoader(name, getenv, toRun).load(data)
}

func newLoader(name string, getenv func(string) (string, bool), p purpose) *loader {
	return &loader{name: name, getenv: getenv, purpose: p, places: map[string]*yaml.Node{}}
}

// load reads a configuration, or reports all that is wrong with it.
func (l *loader) load(data []byte) (*Config, error) {
	cfg := l.read(data)
	if err := configError(l.problems); err != nil {
		return nil, err
	}
	return cfg, nil
}

// read reads what can be read, and notes what is wrong.
func (l *loader) read(data []byte) *Config {
	cfg := &Config{}
	if root := l.parse(data); root != nil {
		l.mapping(root, configSpec, "", reflect.ValueOf(cfg).Elem())
		l.check(cfg)
		if simulated(cfg.FinoOS.BaseURL) {
			l.notes.Plain = slices.DeleteFunc(l.notes.Plain, func(p Problem) bool { return p.Key == "finoos.client_secret" })
		}
	}
	cfg.Notes = l.notes
	return cfg
}

// loader walks the YAML nodes along the specs, so that every value has a place.
type loader struct {
	name     string
	getenv   func(string) (string, bool)
	purpose  purpose
	problems []Problem
	notes    Notes
	places   map[string]*yaml.Node // the value node of every key that was given, by path
}

func (l *loader) problem(n *yaml.Node, path, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.name, Line: n.Line, Column: n.Column, Key: path, Message: fmt.Sprintf(format, args...)})
}

// parse returns the root mapping, or nil after reporting why there is none.
func (l *loader) parse(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxConfig {
		l.problem(start, "", "larger than %d KiB: is this the right file?", maxConfig>>10)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) || (err == nil && resolve(&doc).Tag == "!!null") {
		l.problem(start, "", "is empty: it needs the keys finoos, sink and jobs")
		return nil
	} else if err != nil {
		l.syntax(data, err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		l.problem(&second, "", "a second document begins here: only one is read")
		return nil
	} else if !errors.Is(err, io.EOF) {
		l.syntax(data, err)
		return nil
	}
	return resolve(&doc)
}

// resolve follows documents and aliases to the node that holds the content.
func resolve(n *yaml.Node) *yaml.Node {
	for {
		switch {
		case n.Kind == yaml.AliasNode && n.Alias != nil:
			n = n.Alias
		case n.Kind == yaml.DocumentNode && len(n.Content) > 0:
			n = n.Content[0]
		default:
			return n
		}
	}
}

// entry is one key of a mapping with its value.
type entry struct {
	name       string
	key, value *yaml.Node
}

// plainName is what a key may look like to be repeated in an error: anything
// else could be a value that lost its key.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// entries lists a mapping's keys once each, reporting the others, and whether n
// is a mapping at all. A key without anything below it counts as an empty one.
func (l *loader) entries(n *yaml.Node, path string) (list []entry, ok bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil, true
	}
	if n.Kind != yaml.MappingNode {
		l.problem(n, path, "must be a mapping: key: value lines below it%s", missingSpace(n))
		return nil, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry{key: n.Content[i], value: resolve(n.Content[i+1])}
		e.name = e.key.Value
		first := slices.IndexFunc(list, func(o entry) bool { return o.name == e.name })
		switch {
		case e.key.Kind == yaml.ScalarNode && e.key.ShortTag() == "!!merge":
			l.problem(e.key, path, "merge keys (<<) are not supported: repeat the lines, or use an alias for a whole value")
		case e.key.Kind != yaml.ScalarNode || !plainName.MatchString(e.name):
			l.problem(e.key, path, "a key is expected here, of letters, digits, _ and -")
		case first >= 0:
			l.problem(e.key, join(path, e.name), "stands here a second time: first in line %d", list[first].key.Line)
		default:
			list = append(list, e)
		}
	}
	return list, true
}

// missingSpace is a hint where a known key was taken for a text.
func missingSpace(n *yaml.Node) string {
	key, _, found := strings.Cut(n.Value, ":")
	if n.Kind != yaml.ScalarNode || !found || elsewhere(key) == "" && !slices.Contains(keys(jobSpec), key) && !slices.Contains(keys(configSpec), key) {
		return ""
	}
	return "; write a space behind the colon of " + key
}

// mapping reads n into v, a struct of these specs. Keys that are needed and absent are reported at the mapping itself.
func (l *loader) mapping(n *yaml.Node, specs []*spec, path string, v reflect.Value) {
	setDefaults(v, specs)
	list, ok := l.entries(n, path)
	if !ok {
		return
	}
	given := map[string]bool{}
	for _, e := range list {
		given[e.name] = true
	}
	for _, e := range list {
		at := join(path, e.name)
		l.places[at] = e.value
		i := slices.IndexFunc(specs, func(s *spec) bool { return s.key == e.name })
		f := slices.IndexFunc(specs, func(s *spec) bool { return s.file && s.key+"_file" == e.name })
		switch {
		case i >= 0:
			l.field(e.value, specs[i], at, v)
		case f >= 0 && given[specs[f].key]:
			l.problem(e.key, at, "stands beside %s: give one of the two", specs[f].key)
		case f >= 0:
			l.secretFile(e.value, specs[f], at, v)
		default:
			l.unknown(e, specs, at)
		}
	}
	for _, s := range specs {
		switch {
		case s.file && s.need && !given[s.key] && !given[s.key+"_file"]:
			l.problem(n, join(path, s.key), "is missing: give %s or %s_file", s.key, s.key)
		case !s.file && s.need && !given[s.key]:
			l.problem(n, join(path, s.key), "is missing")
		}
	}
}

func (l *loader) unknown(e entry, specs []*spec, at string) {
	hint := human.Meant(e.name, keys(specs))
	if path := elsewhere(e.name); hint == "" && path != "" {
		hint = "; it belongs in " + path
	}
	l.problem(e.key, at, "unknown key%s", hint)
}

// field reads one value into the field of v that s stands for.
func (l *loader) field(n *yaml.Node, s *spec, path string, v reflect.Value) {
	if s.index != nil {
		v = v.FieldByIndex(s.index)
	}
	switch {
	case s.children != nil:
		l.mapping(n, s.children, path, v)
	case s.form == "job":
		l.jobs(n, path, v)
	case v.Kind() == reflect.Map:
		l.texts(n, s, path, v)
	case v.Kind() == reflect.Slice:
		l.list(n, s, path, v)
	default:
		l.scalar(n, s, path, v)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
