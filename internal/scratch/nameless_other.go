//go:build !linux

package scratch

import "os"

func nameless(string) *os.File { return nil }
