package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
)

// jobName is what the name of a job may be: it is part of object keys.
var jobName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// jobs reads the entries below jobs.
func (l *loader) jobs(n *yaml.Node, path string, v reflect.Value) {
	jobs := map[string]*Job{}
	before := len(l.problems)
	list, _ := l.entries(n, path)
	for _, e := range list {
		at := join(path, e.name)
		if !jobName.MatchString(e.name) {
			l.problem(e.key, at, "is no name of a job: use lower-case letters, digits, - and _, at most 40")
			continue
		}
		job := &Job{Name: e.name}
		l.places[at] = e.key
		l.mapping(e.value, jobSpec, at, reflect.ValueOf(job).Elem())
		jobs[e.name] = job
	}
	if len(jobs) == 0 && len(l.problems) == before {
		l.problem(n, path, "names no job")
	}
	v.Set(reflect.ValueOf(jobs))
}

// texts reads a mapping of names to texts, or of names to such mappings.
func (l *loader) texts(n *yaml.Node, s *spec, path string, v reflect.Value) {
	if inner := v.Type().Elem(); inner.Kind() == reflect.Map {
		values := reflect.MakeMap(v.Type())
		list, _ := l.entries(n, path)
		for _, e := range list {
			value := reflect.New(inner).Elem()
			l.places[join(path, e.name)] = e.key
			l.texts(e.value, s, join(path, e.name), value)
			if value.Len() > 0 {
				values.SetMapIndex(reflect.ValueOf(e.name), value)
			}
		}
		if values.Len() > 0 {
			v.Set(values)
		}
		return
	}
	values := map[string]string{}
	list, _ := l.entries(n, path)
	for _, e := range list {
		at := join(path, e.name)
		if err := checkName(s.form, e.name); err != nil {
			l.problem(e.key, at, "%v", err)
			continue
		}
		var text string
		l.places[at] = e.key
		if l.scalar(e.value, &spec{key: e.name, form: s.form, allow: s.allow}, at, reflect.ValueOf(&text).Elem()) {
			values[e.name] = text
		}
	}
	v.Set(reflect.ValueOf(values))
}

// list reads a list of words, each of which may stand there once.
func (l *loader) list(n *yaml.Node, s *spec, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		l.problem(n, path, "must be a list: [%s, …]", s.allow[0])
		return
	}
	if len(n.Content) == 0 {
		l.problem(n, path, "names nothing: leave the line out for all of %s", strings.Join(s.allow, ", "))
	}
	out := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		value := reflect.New(v.Type().Elem()).Elem()
		item = resolve(item)
		if !l.scalar(item, s, fmt.Sprintf("%s[%d]", path, i), value) {
			continue
		}
		at := join(path, value.String())
		if l.places[at] != nil {
			l.problem(item, path, "%q is named twice", value.String())
		}
		l.places[at] = item
		out = reflect.Append(out, value)
	}
	v.Set(out)
}

// scalar reads one value, and reports whether it could.
func (l *loader) scalar(n *yaml.Node, s *spec, path string, v reflect.Value) bool {
	if n.Kind != yaml.ScalarNode {
		l.problem(n, path, "must be a single value, not a list or a mapping")
		return false
	}
	e, err := expand(n.Value, l.getenv)
	switch {
	case err != nil:
		l.problem(n, path, "%v", err)
		return false
	case len(e.missing) > 0 && !l.needs(path):
		l.unset(n, path, e.missing)
		return false
	case len(e.missing) > 0:
		for _, name := range e.missing {
			instead := "write ${" + name + ":-default}"
			if v.Type() == reflect.TypeFor[finoos.Secret]() { // which has no place in this file
				instead = "name a file that holds it in " + s.key + "_file"
			}
			l.problem(n, path, "environment variable %s is not set: set it, or %s", name, instead)
		}
		return false
	case len(e.names) == 0:
		if err := checkKind(n, s, v.Kind()); err != nil {
			l.problem(n, path, "%v", err)
			return false
		}
	}
	if isSecret(v.Addr().Interface()) {
		if e.text == "" && len(e.names) > 0 && !l.needs(path) {
			l.unset(n, path, e.names)
			return false
		}
		l.notePlain(n, path, e.text)
	}
	if s.need && e.text == "" {
		if len(e.names) > 0 && !l.needs(path) {
			l.unset(n, path, e.names)
		} else if len(e.names) > 0 {
			l.problem(n, path, "is empty: so is %s", strings.Join(e.names, ", "))
		} else {
			l.problem(n, path, "is empty")
		}
		return false
	}
	if err := setText(v, s, e.text); err != nil {
		l.problem(n, path, "%s %v", shown(s, v, e), err)
		return false
	}
	return true
}

// shown names a value in an error. Secrets, what may hold one (URLs, and the keys
// that stand beside secrets) and what came from the environment are never
// repeated.
func shown(s *spec, v reflect.Value, e expansion) string {
	switch {
	case len(e.names) > 0:
		return "the value from " + strings.Join(e.names, ", ")
	case v.Type() == reflect.TypeFor[finoos.Secret](), strings.HasSuffix(s.form, "_url"), s.file, len(e.text) > 60:
		return "the value"
	}
	return strconv.Quote(e.text)
}

// secretFile reads a *_file key into the field that it stands in for.
func (l *loader) secretFile(n *yaml.Node, s *spec, path string, v reflect.Value) {
	var file string
	if !l.scalar(n, &spec{key: s.key + "_file", need: true}, path, reflect.ValueOf(&file).Elem()) {
		return
	}
	text, err := readSecretFile(l.name, file)
	if absent(err) && !l.needs(path) {
		l.unset(n, path, nil)
		return
	}
	if err != nil {
		l.problem(n, path, "the file cannot be read: %v", err)
		return
	}
	if err := setText(v.FieldByIndex(s.index), s, text); err != nil {
		l.problem(n, path, "the file's content %v", err)
	}
}

// checkKind compares how a value is written with what the field holds. Values
// with a reference are exempt: all of them are texts.
func checkKind(n *yaml.Node, s *spec, k reflect.Kind) error {
	tag := n.ShortTag()
	if tag == "!!null" {
		return errors.New(`has no value: leave the line out for the default, or write ""`)
	}
	number := k == reflect.Int || k == reflect.Float64
	switch {
	case number && tag == "!!str" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return errors.New("must be a number: take the quotes away")
	case k == reflect.Bool && tag != "!!bool":
		return errors.New("must be true or false, without quotes")
	case k == reflect.String && tag != "!!str" && s.allow == nil && s.form != "account":
		return errors.New("must be a text: put it in quotes")
	case tag != "!!str" && tag != "!!int" && tag != "!!float" && tag != "!!bool" && tag != "!!timestamp":
		return errors.New("must be a plain value without a tag")
	}
	return nil
}

// setText reads text into v by v's type and checks it by the bounds, words and
// form of s. Where leaving the key out means none, an empty text means it too:
// so a reference with an empty default works.
func setText(v reflect.Value, s *spec, text string) error {
	if text == "" && s.hasDefault && s.fallback == "" {
		v.SetZero()
		return nil
	}
	if s.allow != nil && !slices.Contains(s.allow, text) {
		return fmt.Errorf("is not one of %s%s", strings.Join(s.allow, ", "), human.Meant(text, s.allow))
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		return set(p, s, text, parseDuration)
	case *int64:
		return set(p, s, text, parseSize)
	case *float64:
		return set(p, s, text, parseFloat)
	case *int:
		var n int64
		err := set(&n, s, text, parseInt)
		*p = int(n)
		return err
	case *bool:
		*p = text == "true"
		if text != "true" && text != "false" {
			return errors.New("is neither true nor false")
		}
		return nil
	case **time.Location:
		loc, err := parseLocation(text)
		*p = loc
		return err
	case *netip.Addr:
		return setAddr(p, text)
	default:
		v.SetString(text)
		return setForm(v, s.form, text)
	}
}

// set parses a bounded value.
func set[T int64 | float64 | time.Duration](p *T, s *spec, text string, parse func(string) (T, error)) error {
	value, err := parse(text)
	if err != nil {
		return err
	}
	*p = value
	return checkBounds(value, s, parse)
}

func setAddr(p *netip.Addr, text string) (err error) {
	*p, err = ParseUserIP(text)
	return err
}

// ParseUserIP reads an address that a bank may be told as the user's. Its errors do
// not have the address.
func ParseUserIP(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, errors.New("is no IP address: write one such as 203.0.113.7 or 2001:db8::7")
	}
	addr = addr.Unmap()
	switch {
	case addr.IsUnspecified() || addr.IsMulticast():
		return netip.Addr{}, errors.New("is no address that a host can have")
	case addr.IsLoopback() || addr.IsLinkLocalUnicast():
		return netip.Addr{}, errors.New("is an address of this host or its network: the bank is told whose wish the synchronisation is, so write a public one")
	}
	return addr, nil
}
