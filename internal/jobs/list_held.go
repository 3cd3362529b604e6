package jobs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/cursors"
)

// spillAt is how many bytes of listed users are held before they move to the
// scratch file, so that the list of a million users costs no memory.
const spillAt = 4 << 20

// userList holds the users of a run by bucket of users, in the order in which
// they were listed. Adding ends before reading begins. Not safe for
// concurrent use.
type userList struct {
	dir  string
	held [cursors.Buckets][]byte
	size int

	file     *os.File // nil until the first spill; already unlinked
	written  int64
	segments [cursors.Buckets][]segment
}

type segment struct{ at, n int64 }

func (l *userList) add(u *finoos.User) error {
	b := cursors.BucketOf(u.ID)
	before := len(l.held[b])
	l.held[b] = appendUser(l.held[b], u)
	if l.size += len(l.held[b]) - before; l.size < spillAt {
		return nil
	}
	return l.spill()
}

func (l *userList) spill() error {
	if l.file == nil {
		f, err := scratch.File(l.dir, "syncer-users")
		if err != nil {
			return fmt.Errorf("hold the list of users: %w", err)
		}
		l.file = f
	}
	for b := range l.held {
		if len(l.held[b]) == 0 {
			continue
		}
		n, err := l.file.Write(l.held[b])
		if err != nil {
			return fmt.Errorf("hold the list of users: %w", err)
		}
		l.segments[b] = append(l.segments[b], segment{at: l.written, n: int64(n)})
		l.written += int64(n)
		l.held[b] = nil
	}
	l.size = 0
	return nil
}

// complete says that hardly anybody follows: a list that did not fit into memory
// leaves it altogether.
func (l *userList) complete() error {
	if l.file == nil {
		return nil
	}
	return l.spill()
}

// bucket returns the users of one bucket of users, each id once: the first
// time that it was listed counts.
func (l *userList) bucket(b int) ([]*finoos.User, error) {
	var raw []byte
	for _, s := range l.segments[b] {
		buf := make([]byte, s.n)
		if _, err := l.file.ReadAt(buf, s.at); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the held list of users: %w", err)
		}
		raw = append(raw, buf...)
	}
	raw = append(raw, l.held[b]...)
	var users []*finoos.User
	seen := map[string]bool{}
	text := string(raw)
	for len(raw) > 0 {
		u, rest, err := decodeUser(raw, text)
		if err != nil {
			return nil, fmt.Errorf("read the held list of users: %w", err)
		}
		raw = rest
		if !seen[u.ID] {
			seen[u.ID] = true
			users = append(users, u)
		}
	}
	return users, nil
}

func (l *userList) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

func appendUser(b []byte, u *finoos.User) []byte {
	for _, s := range []string{u.ID, u.CustomUserID, u.Name, u.Type, u.Tenant, u.Extra} {
		b = scratch.AppendString(b, s)
	}
	b = binary.LittleEndian.AppendUint64(b, u.Hash)
	var created int64
	if !u.CreatedAt.IsZero() {
		created = u.CreatedAt.UnixMicro()
	}
	b = binary.AppendVarint(b, created)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(u.Unreadable)), uint64(u.Replaced)) // counts
	return appendList(appendList(b, u.Duplicates), u.UserScopes)
}

// appendList writes a list so that nil and empty stay apart: its length plus
// one, 0 for nil.
func appendList(b []byte, list []string) []byte {
	if list == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(list))+1)
	for _, s := range list {
		b = scratch.AppendString(b, s)
	}
	return b
}

var errHeldUser = errors.New("a held user cannot be decoded")

// decodeUser reads a user; text ends in b, and holds the user's strings.
func decodeUser(b []byte, text string) (u *finoos.User, rest []byte, err error) {
	d := scratch.NewTextReader(b, text)
	u = &finoos.User{ID: d.String(), CustomUserID: d.String(), Name: d.String(), Type: d.String(), Tenant: d.String()}
	u.Extra = d.String()
	u.Hash = d.Uint64()
	if us := d.Varint(); us != 0 {
		u.CreatedAt = time.UnixMicro(us).UTC()
	}
	u.Unreadable, u.Replaced = int(d.Uvarint()), int(d.Uvarint()) // as they were written
	u.Duplicates, u.UserScopes = readList(d), readList(d)
	if d.Failed() {
		return nil, nil, errHeldUser
	}
	return u, d.Rest(), nil
}

func readList(d *scratch.Reader) []string {
	n := d.Uvarint()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(d.Rest())) {
		d.Fail()
		return nil
	}
	list := make([]string, 0, n-1)
	for range n - 1 {
		list = append(list, d.String())
	}
	return list
}

// compareByBucket orders ids as cursors are: by bucket of users, then by id.
func compareByBucket(a, b string) int {
	return cmp.Or(cmp.Compare(cursors.BucketOf(a), cursors.BucketOf(b)), cmp.Compare(a, b))
}

// byBucket yields ids by bucket of users, sorted and each once.
func byBucket(ids iter.Seq[string]) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		for left := slices.Compact(slices.SortedFunc(ids, compareByBucket)); len(left) > 0; {
			b := cursors.BucketOf(left[0])
			n := slices.IndexFunc(left, func(id string) bool { return cursors.BucketOf(id) != b })
			if n < 0 {
				n = len(left)
			}
			if !yield(b, left[:n:n]) {
				return
			}
			left = left[n:]
		}
	}
}

// count is how many users are held, each counted once.
func (l *userList) count() (n int64, err error) {
	for b := range cursors.Buckets {
		users, err := l.bucket(b)
		if err != nil {
			return 0, err
		}
		n += int64(len(users))
	}
	return n, nil
}

func (l *listing) countListed() error {
	n, err := l.held.count()
	l.here = n
	l.tally.update(func(rep *report.Report) { rep.Users.Listed += n })
	return err
}
