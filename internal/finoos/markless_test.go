package finoos

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestAByteOrderMarkBeforeABodyIsDropped(t *testing.T) {
	t.Parallel()
	cut := errors.New("cut")
	for body, want := range map[string]string{
		"": "", "a": "a", "ab": "ab", "abc": "abc", "abcd": "abcd", "\ufeff": "", "\ufeffx": "x", "\ufeff\ufeffx": "\ufeffx", "x\ufeff": "x\ufeff", "\xef\xbb": "\xef\xbb",
	} {
		for _, r := range []io.Reader{bytes.NewReader([]byte(body)), iotest.OneByteReader(bytes.NewReader([]byte(body))), iotest.DataErrReader(bytes.NewReader([]byte(body)))} {
			if got, err := io.ReadAll(withoutMark(r)); err != nil || string(got) != want {
				t.Errorf("%q: %q, %v", body, got, err)
			}
		}
		got, err := io.ReadAll(withoutMark(io.MultiReader(bytes.NewReader([]byte(body)), iotest.ErrReader(cut))))
		if !errors.Is(err, cut) || string(got) != want {
			t.Errorf("%q, cut: %q, %v", body, got, err)
		}
	}
}

func TestTokenAnswersAreReadAsWidelyAsIsUnambiguous(t *testing.T) {
	t.Parallel()
	for life, want := range map[string]time.Duration{
		"300": 300 * time.Second, "300.0": 300 * time.Second, `"300"`: 300 * time.Second, `"300.0"`: 300 * time.Second, "3e2": 300 * time.Second,
		"null": defaultLife, `""`: 0, "-1": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, a := setup(t, always(reply{body: "\ufeff" + oneLogin}))
			a.token = func(int) reply {
				return reply{body: "\ufeff" + `{"access_token":"t","expires_in":` + life + `,"token_type":"Bearer","scope":"banking"}`}
			}
			began := time.Now()
			l, err := c.Logins(WithAttempt(t.Context(), 0), testUser)
			if err != nil {
				if want != 0 {
					t.Errorf("%s: %v", life, err)
				}
				return
			}
			all(t, l, nil)
			if held := c.tokens.usable(""); want != 0 && held.expires.Sub(began) != want {
				t.Errorf("%s: it lives for %v", life, held.expires.Sub(began))
			}
		})
	}
}
