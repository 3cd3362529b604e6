package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// boast is a stranger's error that calls itself one of the runtime's.
type boast string

func (b boast) Error() string { return string(b) }
func (boast) RuntimeError()   {}

func TestAPanicOfTheCommandEndsWith1AndTellsNoValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-7f3a"
	var none []int
	var nobody *app
	var anything any = secret
	for says, met := range map[string]func(){
		"index out of range [3] with length 0":    func() { _ = none[len(secret)-9] },
		"invalid memory address or nil pointer":   func() { _ = nobody.config },
		"interface conversion: string is not fmt": func() { _ = anything.(fmt.Stringer) },
		"of type string, which":                   func() { panic("token " + secret) },
		"of type *fmt.wrapError, which":           func() { panic(fmt.Errorf("read %s: %w", secret, fmt.Errorf("user %s", secret))) },
		"of type *url.Error, which":               func() { panic(&url.Error{Op: "Get", URL: "http://x/" + secret, Err: boast(secret)}) },
		"of type main.boast, which":               func() { panic(boast(secret)) },
		"of type []uint8, which":                  func() { panic([]byte(secret)) },
		"of type struct { Token string }, which":  func() { panic(struct{ Token string }{secret}) },
		"of type map[string]interface {}, which":  func() { panic(map[string]any{secret: secret}) },
		"panic called with nil argument":          func() { panic(nil) }, //nolint:govet // it is what is tested
	} {
		var out bytes.Buffer
		a := newTestApp(&out, nil)
		a.getenv = func(string) (string, bool) { return meet(met, secret), false }
		if code := execute(a, []string{"version"}); code != exitUnexpected {
			t.Errorf("%s: exit code %d\n%s", says, code, &out)
		}
		told := out.String()
		if first, _, _ := strings.Cut(told, "\n"); !strings.Contains(first, says) || !strings.HasPrefix(first, "syncer: a bug ended it: panic: ") {
			t.Errorf("%s: %s", says, first)
		}
		if strings.Contains(told, secret) || strings.Contains(told, "0x") {
			t.Errorf("%s: it tells a value:\n%s", says, told)
		}
		if !strings.Contains(told, "syncer.meet\n") || !strings.Contains(told, "panic_test.go:") || !strings.Contains(told, "syncer.execute\n") {
			t.Errorf("%s: it does not tell where:\n%s", says, told)
		}
	}
}

// meet is a function with an argument in the stack.
//
//go:noinline
func meet(what func(), secret string) string {
	what()
	return secret
}
