package config

import (
	"reflect"
	"slices"
	"strings"
)

// spec is what the tags of one configuration field say. A spec without a field
// of its own (index nil) is a mapping that a dot in a key stands for: its
// children belong to the struct that it stands in.
type spec struct {
	key        string
	field      string // the struct and field that it stands in, as in "Job.Schedule"
	index      []int
	typ        reflect.Type
	fallback   string // the default, as it would be written in the file
	hasDefault bool
	need       bool
	file       bool
	allow      []string
	min, max   string
	form       string
	children   []*spec // of a mapping with fixed keys
}

// configSpec describes a whole jobs.yaml, jobSpec one entry below jobs.
var (
	configSpec = specsOf(reflect.TypeFor[Config]())
	jobSpec    = specsOf(reflect.TypeFor[Job]())
)

// specsOf reads the tags of a struct. Fields without a key are not read from
// the file.
func specsOf(t reflect.Type) []*spec {
	var specs []*spec
	for f := range t.Fields() {
		key, ok := f.Tag.Lookup("key")
		if !ok {
			continue
		}
		s := &spec{
			key: key, field: t.Name() + "." + f.Name, index: f.Index, typ: f.Type,
			need: f.Tag.Get("need") == "true", file: f.Tag.Get("file") == "true",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), form: f.Tag.Get("form"),
		}
		s.fallback, s.hasDefault = f.Tag.Lookup("default")
		if allow, ok := f.Tag.Lookup("allow"); ok {
			s.allow = strings.Split(allow, "|")
		}
		if isMapping(f.Type) {
			s.children = specsOf(f.Type)
		}
		specs = place(specs, s)
	}
	return specs
}

// place adds s to specs, below a mapping of its own where its key has a dot.
func place(specs []*spec, s *spec) []*spec {
	group, rest, dotted := strings.Cut(s.key, ".")
	if !dotted {
		return append(specs, s)
	}
	s.key = rest
	i := slices.IndexFunc(specs, func(g *spec) bool { return g.key == group })
	if i < 0 {
		specs = append(specs, &spec{key: group})
		i = len(specs) - 1
	}
	specs[i].children = place(specs[i].children, s)
	return specs
}

// isMapping tells a struct of further keys from one that is a single value.
func isMapping(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[FinoOS](), reflect.TypeFor[Sink](), reflect.TypeFor[Sync](), reflect.TypeFor[Failures]():
		return true
	}
	return false
}

// keys lists what may stand in a mapping of these specs.
func keys(specs []*spec) []string {
	var names []string
	for _, s := range specs {
		names = append(names, s.key)
		if s.file {
			names = append(names, s.key+"_file")
		}
	}
	return names
}

// elsewhere returns the path at which key would be known, or "": a key that is
// right but stands in the wrong mapping is a common mistake.
func elsewhere(key string) string {
	var find func(prefix string, specs []*spec) string
	find = func(prefix string, specs []*spec) string {
		if slices.Contains(keys(specs), key) {
			return prefix + key
		}
		for _, s := range specs {
			if path := find(prefix+s.key+".", s.children); path != "" {
				return path
			}
		}
		return ""
	}
	if path := find("jobs.<name>.", jobSpec); path != "" {
		return path
	}
	return find("", configSpec)
}

// setDefaults fills v, a struct of these specs. The tags are part of the
// program: a test reads them all.
func setDefaults(v reflect.Value, specs []*spec) {
	for _, s := range specs {
		inner := v
		if s.index != nil {
			inner = v.FieldByIndex(s.index)
		}
		if s.hasDefault && s.fallback != "" {
			_ = setText(inner, s, s.fallback)
		}
		setDefaults(inner, s.children)
	}
}
