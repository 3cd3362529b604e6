package cursors

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"finoos-syncer/internal/id"
)

// readUser writes a cursor of a user among others, and reads all of them.
func readUser(t *testing.T, user string, all bool) (found bool, err error) {
	t.Helper()
	r := cursorsOf(t, []Cursor{{UserID: "before", Stream: "s"}, {UserID: user, Stream: "s", State: []byte{1}}, {UserID: "z", Stream: "s"}})
	for c, err := range readCursors(r, BucketOf(user), all) {
		if err != nil {
			return false, err
		}
		found = found || c.UserID == user
	}
	if all {
		_, err = Count(bytes.NewReader(readAllOf(t, r)))
	}
	return found, err
}

func readAllOf(t *testing.T, r *countingReader) []byte {
	t.Helper()
	body := make([]byte, r.Reader.Size())
	if _, err := r.Reader.ReadAt(body, 0); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestACursorOfAnIDThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for user, valid := range map[string]bool{
		"u": true, "ü 1": true, strings.Repeat("x", id.Max): true,
		strings.Repeat("x", id.Max+1): false, "a\nb": false, "\x00": false, "\x7f": false, "": false, "\xff": false,
	} {
		for _, all := range []bool{true, false} {
			found, err := readUser(t, user, all)
			if found != valid || valid != (err == nil) || !valid && !errors.Is(err, ErrUserID) {
				t.Errorf("%.40q is found: %v, %v", user, found, err)
			}
		}
	}
}

func TestAFileThatBeginsWithNoIDIsRefused(t *testing.T) {
	t.Parallel()
	if n, err := Count(cursorsOf(t, []Cursor{{Stream: "s"}})); !errors.Is(err, ErrUserID) {
		t.Errorf("%d cursors, %v", n, err)
	}
}

func FuzzAUserIsReadBackOrRefused(f *testing.F) {
	f.Add("user")
	f.Add("a\x00b")
	f.Add("\xff")
	f.Add(strings.Repeat("é", 512))
	f.Fuzz(func(t *testing.T, user string) {
		found, err := readUser(t, user, true)
		if valid := id.Valid(user); found != valid || valid != (err == nil) {
			t.Errorf("%q is found: %v, %v", user, found, err)
		}
	})
}
