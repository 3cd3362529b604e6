package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"

	"github.com/google/go-cmp/cmp"
)

// maxDiffs bounds what one failed comparison prints.
const maxDiffs = 10

// truth is who knows what the lake must hold: the sandbox.
type truth interface {
	Truth(table string) iter.Seq[map[string]any]
}

// checkLake fails unless a lake that no run is working on is the truth, and holds
// nothing but what was committed. It returns the number of rows compared.
func checkLake(t *testing.T, dir string, want truth) int {
	t.Helper()
	l := openLake(t, dir)
	defer l.close()
	rows := l.checkTruth(t, want)
	l.checkCommits(t)
	return rows
}

// checkTruth fails unless the current state of every table equals the truth, in
// every column, and returns the number of rows that were compared.
func (l *lake) checkTruth(t *testing.T, want truth) int {
	t.Helper()
	if diff := l.schemaDiff(t); diff != "" {
		t.Error(diff)
	}
	total := 0
	for _, tb := range tables {
		if tb.history {
			continue
		}
		total += compare(t, tb, collect(want.Truth(tb.name)), l.current(t, tb))
	}
	if total == 0 {
		t.Error("the truth is empty: nothing was compared")
	}
	return total
}

func collect(seq iter.Seq[map[string]any]) []row {
	var rows []row
	for r := range seq {
		rows = append(rows, r)
	}
	return rows
}

// compare reports the first few keys where two sets of rows differ.
func compare(t *testing.T, tb table, want, got []row) int {
	t.Helper()
	if report := differences(tb, want, got); report != "" {
		t.Errorf("%s: %s", tb.name, report)
	}
	return len(want)
}

// differences is "" where both hold the same rows, in whatever order.
func differences(tb table, want, got []row) string {
	wanted, twiceWanted := byKey(tb, want)
	gotten, twiceGotten := byKey(tb, got)
	keys := make(map[string]bool, len(wanted))
	for k, w := range wanted {
		if g, ok := gotten[k]; !ok || !sameRow(w, g) {
			keys[k] = true
		}
	}
	for k := range gotten {
		if _, ok := wanted[k]; !ok {
			keys[k] = true
		}
	}
	if len(keys)+len(twiceWanted)+len(twiceGotten) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows in the truth, %d in the lake, %d keys differ", len(want), len(got), len(keys))
	for _, k := range firstOf(keys) {
		fmt.Fprintf(&b, "\n%s (-truth +lake):\n%s", k, cmp.Diff(wanted[k], gotten[k]))
	}
	for _, k := range slices.Concat(twiceWanted, twiceGotten) {
		fmt.Fprintf(&b, "\n%s: more than once", k)
	}
	return b.String()
}

func firstOf(keys map[string]bool) []string {
	all := make([]string, 0, len(keys))
	for k := range keys {
		all = append(all, k)
	}
	sort.Strings(all)
	return all[:min(len(all), maxDiffs)]
}

// byKey indexes rows in their canonical form, and tells which keys it met twice.
func byKey(tb table, rows []row) (map[string]row, []string) {
	index := make(map[string]row, len(rows))
	var twice []string
	for _, r := range rows {
		r = canonical(tb, r)
		k := keyOf(tb, r)
		if _, ok := index[k]; ok && len(twice) < maxDiffs {
			twice = append(twice, k)
		}
		index[k] = r
	}
	return index, twice
}

func keyOf(tb table, r row) string {
	parts := make([]string, 0, len(tb.key))
	for _, k := range tb.key {
		parts = append(parts, fmt.Sprint(r[k]))
	}
	return strings.Join(parts, " ")
}

// sameRow compares two rows in their canonical form.
func sameRow(a, b row) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if name == "first_seen_at" || name == "last_seen_at" {
			continue // the API knows nothing of them
		}
		other, ok := b[name]
		if !ok || !sameValue(v, other) {
			return false
		}
	}
	return true
}

func sameValue(a, b any) bool {
	x, isList := a.([]string)
	y, too := b.([]string)
	if isList || too {
		return isList && too && slices.Equal(x, y)
	}
	return a == b
}

// canonical makes values comparable by sameValue: named string types are text,
// instants are UTC without a clock reading, JSON is spelled one way. Every
// column of the table is present afterwards, and no other is removed.
func canonical(tb table, r row) row {
	out := make(row, len(tb.columns)+1)
	for _, c := range tb.withExtra() {
		out[c.Name] = nil
	}
	for name, v := range r {
		out[name] = canonicalValue(v)
	}
	for _, name := range tb.json {
		if s, ok := out[name].(string); ok {
			out[name] = canonicalJSON(s)
		}
	}
	if s, ok := out["_extra"].(string); ok {
		out["_extra"] = canonicalExtra(tb, s)
	}
	return out
}

func canonicalValue(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int64:
		return v
	case time.Time:
		return v.UTC().Round(0)
	case []string:
		if v == nil {
			return nil
		}
		return v
	}
	if s := reflect.ValueOf(v); s.Kind() == reflect.String {
		return s.String()
	}
	return v
}

// canonicalJSON sorts keys and drops blanks; numbers keep their spelling. What
// is no JSON stays as it is, and so differs from what is.
func canonicalJSON(s string) string {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return "not JSON: " + s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "not JSON: " + s
	}
	return strings.TrimSpace(b.String())
}

// canonicalExtra leaves out of canonicalJSON what a lake may hold in an older
// version: fields that change at every synchronisation.
func canonicalExtra(tb table, s string) any {
	one, err := sandbox.CanonicalExtra(tb.name, s)
	switch {
	case err != nil:
		return "no _extra: " + s
	case one == "":
		return nil
	}
	return canonicalJSON(one)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
