package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxSecretFile bounds what is read from a mounted secret: more is surely the
// wrong file.
const maxSecretFile = 64 << 10

// reference is ${NAME} or ${NAME:-default}. A default ends at the first brace.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expansion is a value with its references replaced.
type expansion struct {
	text    string
	names   []string // variables that were asked for, in order
	missing []string // those that are not set and have no default
}

// expand replaces the references in text. As in a shell, the default also
// stands in for a variable that is set but empty; $${ stands for a plain ${.
func expand(text string, getenv func(string) (string, bool)) (expansion, error) {
	var e expansion
	var b strings.Builder
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			b.WriteString(text)
			e.text = b.String()
			return e, nil
		}
		if at > 0 && text[at-1] == '$' {
			b.WriteString(text[:at-1] + "${")
			text = text[at+2:]
			continue
		}
		m := reference.FindStringSubmatch(text[at:])
		if m == nil {
			return e, errors.New(`holds a "${" that begins no ${NAME} or ${NAME:-default}; write "$${" for a plain one`)
		}
		name, hasDefault := m[1], m[2] != ""
		value, set := getenv(name)
		value = strings.TrimPrefix(value, byteOrderMark)
		switch {
		case hasDefault && value == "":
			value = m[3]
		case !set:
			e.missing = append(e.missing, name)
		}
		e.names = append(e.names, name)
		b.WriteString(text[:at] + value)
		text = text[at+len(m[0]):]
	}
}

// byteOrderMark is what some editors write before a text, and what no secret
// begins with.
const byteOrderMark = "\ufeff"

// readSecretFile returns the content of the file that a *_file key names,
// without the line end that editors leave. A relative path starts at the
// configuration's own folder. Errors do not repeat the path.
func readSecretFile(config, path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(config), path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", bare(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", bare(err)
	}
	if len(body) > maxSecretFile {
		return "", fmt.Errorf("larger than %d KiB", maxSecretFile>>10)
	}
	text := strings.TrimRight(strings.TrimPrefix(string(body), byteOrderMark), "\r\n")
	if text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

// bare takes the path out of a file error: the caller knows what may be shown.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
