package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Whatever stands in the file: no panic, an error is an *Error with at
// least one problem, and no value of the environment is in it.
func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile("../../../jobs.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	f.Add([]byte(minimal("concurrency: ${N:-3}", "sync: &a {when: stale}", "failures: *a", "mask: *a")))
	f.Add([]byte("finoos: &a {retry: *a, base_url: '$${X}${X}'}\nsink:\njobs: {a: {streams: [users, *a]}}\n"))
	f.Add([]byte("jobs: {a: {schedule: 'TZ=', timezone: '', deadline: 1h, concurrency: !!str 3}}"))
	f.Add([]byte("? {a: b}\n: - |\n  c\n--- >\n x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const value = "hunter2-from-the-environment"
		cfg, err := Parse("jobs.yaml", data, func(string) (string, bool) { return value, true })
		if (cfg == nil) == (err == nil) {
			t.Fatalf("configuration %v with error %v", cfg, err)
		}
		if err == nil {
			return
		}
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		if strings.Contains(err.Error(), value) {
			t.Fatalf("shows a value of the environment: %v", err)
		}
	})
}
