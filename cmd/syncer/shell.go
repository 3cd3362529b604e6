package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// commandName is how this program is called from a shell: by its name where that finds
// it, else by its path.
func commandName() string {
	self, err := os.Executable()
	if err != nil {
		return quotedForShell(os.Args[0])
	}
	if found, err := exec.LookPath(filepath.Base(self)); err == nil && sameFile(found, self) {
		return quotedForShell(filepath.Base(self))
	}
	return quotedForShell(self)
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// plainWord are the characters that no shell takes for anything else.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"

// quotedForShell is a word as one would type it.
func quotedForShell(word string) string {
	if word != "" && strings.Trim(word, plainWord) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
