package main

import (
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
)

// panicked prints what is safe to say of a panic: where it was, and what the
// runtime had against it. What other code panics with may hold anything, a token
// or a user's data as well: of that only the type is told. Nor does the stack
// show arguments, as Go's own does.
func panicked(w io.Writer, value any) {
	var b strings.Builder
	fmt.Fprintf(&b, "syncer: a bug ended it: panic: %s\n", panicText(value))
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	below := false // what is above has to do with this function only
	for {
		frame, more := frames.Next()
		if below {
			fmt.Fprintf(&b, "  %s\n      %s:%d\n", frame.Function, frame.File, frame.Line)
		}
		below = below || frame.Function == "runtime.gopanic"
		if !more {
			break
		}
	}
	_, _ = io.WriteString(w, b.String()) // there is nowhere left to complain to
}

// panicText is the text of an error of the runtime itself, such as an index out
// of range, else the value's type.
func panicText(value any) string {
	t := reflect.TypeOf(value)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err, ok := value.(runtime.Error); ok && t.PkgPath() == "runtime" {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T, which is not shown", value)
}
