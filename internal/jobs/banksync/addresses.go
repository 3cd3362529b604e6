package banksync

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/jobs/config"
)

// Addresses are the users' own, as sync.user_ips has them. A million of them take
// some 30 MB: of an id its hash is held, and it is found by bisection.
type Addresses struct{ known []addressOf }

// addressOf is a user and an address, an IPv4 one in its IPv6 form.
type addressOf struct {
	user    [14]byte // of the id's SHA-256: no two users have the same
	address [16]byte
}

const (
	// longestLine is of a user id in quotes, an address and some spaces.
	longestLine = 4 << 10
	mostUsers   = 1 << 25
)

// ReadAddresses reads a CSV file of user ids and addresses. keep says of which users
// an address is held; nil means of all. What is wrong with its lines is an
// *AddressesError; no error has anything of what they hold. One that is not there is
// fs.ErrNotExist.
func ReadAddresses(file string, keep func(userID string) bool) (*Addresses, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sync.user_ips: %s: %w; a relative path starts at the folder of jobs.yaml", file, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("sync.user_ips: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	lines, err := countLines(f)
	if err != nil {
		return nil, fmt.Errorf("sync.user_ips: %s: %w", file, err)
	}
	a, wrong := &Addresses{}, &AddressesError{File: file}
	if keep == nil {
		a.known = make([]addressOf, 0, lines)
	}
	err = readLines(f, wrong, func(line int, user string, address netip.Addr) {
		switch {
		case keep != nil && !keep(user):
		case len(a.known) == mostUsers:
			wrong.add(line, errors.New("it has too many users"))
		default:
			a.known = append(a.known, addressOf{hashed(user), address.As16()})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("sync.user_ips: %s: %w", file, err)
	}
	slices.SortFunc(a.known, func(x, y addressOf) int {
		return cmp.Or(bytes.Compare(x.user[:], y.user[:]), bytes.Compare(x.address[:], y.address[:]))
	})
	a.known = slices.Compact(a.known)
	if err := a.findTwice(f, wrong); err != nil {
		return nil, fmt.Errorf("sync.user_ips: %s: %w", file, err)
	}
	if len(wrong.Mistakes) > 0 {
		slices.SortStableFunc(wrong.Mistakes, func(x, y AddressMistake) int { return cmp.Compare(x.Line, y.Line) })
		return nil, wrong
	}
	a.known = slices.Clip(a.known)
	return a, nil
}

// Len is how many users have an address.
func (a *Addresses) Len() int { return len(a.known) }

// Of is the address of a user, not valid where there is none.
func (a *Addresses) Of(userID string) netip.Addr {
	user := hashed(userID)
	i, found := slices.BinarySearchFunc(a.known, user, func(have addressOf, want [14]byte) int {
		return bytes.Compare(have.user[:], want[:])
	})
	if !found {
		return netip.Addr{}
	}
	return netip.AddrFrom16(a.known[i].address).Unmap()
}

func hashed(userID string) (short [14]byte) {
	sum := sha256.Sum256([]byte(userID))
	copy(short[:], sum[:])
	return short
}

// countLines counts the lines, so that memory is taken once. A file that is no text
// is told here.
func countLines(f *os.File) (int, error) {
	lines, buffer := 1, make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := f.ReadAt(buffer, at)
		if at == 0 && n >= 2 && (buffer[0] == 0xff && buffer[1] == 0xfe || buffer[0] == 0xfe && buffer[1] == 0xff) {
			return 0, errors.New("it is UTF-16: save it as UTF-8")
		}
		lines += bytes.Count(buffer[:n], []byte{'\n'})
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return min(lines, int(at/10)+1, mostUsers), nil // most are longer than that
		}
		if err != nil {
			return 0, err
		}
	}
}

// readLines calls each for every user that has an address in the file, and adds to
// wrong what the other lines are.
func readLines(f *os.File, wrong *AddressesError, each func(line int, user string, address netip.Addr)) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, longestLine), longestLine)
	var c csvLine
	n := 0
	for lines.Scan() {
		n++
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		user, address, err := c.read(text)
		switch {
		case err != nil:
			wrong.add(n, err)
		case address.IsValid():
			each(n, user, address)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		wrong.add(n+1, fmt.Errorf("it is longer than %d KiB, and the rest was not read", longestLine>>10))
		return nil
	}
	return lines.Err()
}

// findTwice adds the lines in which users have another address than before.
func (a *Addresses) findTwice(f *os.File, wrong *AddressesError) error {
	type firstLine struct {
		line    int
		address netip.Addr
	}
	twice := map[[14]byte]firstLine{}
	for i := 1; i < len(a.known) && len(twice) < shownMistakes; i++ {
		if a.known[i].user == a.known[i-1].user {
			twice[a.known[i].user] = firstLine{}
		}
	}
	if len(twice) == 0 {
		return nil
	}
	return readLines(f, &AddressesError{}, func(line int, user string, address netip.Addr) {
		switch first, is := twice[hashed(user)]; {
		case !is:
		case first.line == 0:
			twice[hashed(user)] = firstLine{line, address}
		case address != first.address:
			wrong.add(line, fmt.Errorf("another address than in line %d for the same user", first.line))
		}
	})
}

// csvLine reads lines of a CSV file with two fields.
type csvLine struct {
	separator byte // known with the first line that has one
	begun     bool
}

// read returns what a line says, no valid address where it says nothing: an empty
// line, a comment, a header, a user without an address or with a private one.
func (c *csvLine) read(text string) (user string, address netip.Addr, err error) {
	text = strings.Trim(text, " \r")
	if strings.TrimSpace(text) == "" || text[0] == '#' {
		return "", netip.Addr{}, nil
	}
	if c.separator == 0 {
		c.separator = separatorOf(text)
	}
	first := !c.begun
	c.begun = true
	user, rest, err := c.field(text)
	if err != nil {
		return "", netip.Addr{}, err
	}
	said, rest, err := c.field(rest)
	if err != nil {
		return "", netip.Addr{}, err
	}
	if strings.Trim(rest, string(c.separator)+" ") != "" {
		return "", netip.Addr{}, errors.New("it has more than two fields: a user id and an address")
	}
	if said == "" && strings.IndexByte(text, c.separator) >= 0 {
		return "", netip.Addr{}, nil // a user without an address
	}
	address, err = config.ParseUserIP(said)
	switch {
	case err != nil && first && isWord(said):
		return "", netip.Addr{}, nil // a header
	case err != nil:
		return "", netip.Addr{}, fmt.Errorf("the second field %w", err)
	case !id.Valid(user):
		return "", netip.Addr{}, errors.New("the first field is no user id")
	case !isPublic(address):
		return "", netip.Addr{}, nil // it is nobody's to a bank, which may refuse it: as one without
	}
	return user, address, nil
}

// shared is what carriers give to users behind their NAT (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// isPublic says that an address may be known outside of a network of somebody's own.
func isPublic(a netip.Addr) bool { return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a) }

// separatorOf is the first of those in use that stands outside of quotes.
func separatorOf(text string) byte {
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case ',', ';', '\t':
			if !quoted {
				return text[i]
			}
		}
	}
	return ','
}

// field takes the next field off a line.
func (c *csvLine) field(text string) (field, rest string, err error) {
	text = strings.TrimLeft(text, " ")
	if !strings.HasPrefix(text, `"`) {
		field, rest, _ = strings.Cut(text, string(c.separator))
		return strings.TrimSpace(field), rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		rest = strings.TrimLeft(text[i+1:], " ")
		if rest != "" && rest[0] != c.separator {
			return "", "", errors.New("something follows on a quoted field")
		}
		return b.String(), strings.TrimPrefix(rest, string(c.separator)), nil
	}
	return "", "", errors.New("a quoted field has no end")
}

// isWord tells the title of a column from an address that is misspelled.
func isWord(s string) bool {
	return s != "" && !strings.ContainsAny(s, ".:") && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}
