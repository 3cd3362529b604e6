package banksync

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/cursors"
)

func fileOf(tb testing.TB, text string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "ips.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestEachUserHasTheAddressOfTheFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"plain":            "u1,203.0.113.1\nu2,2001:db8::2\n",
		"no end of line":   "u1,203.0.113.1\nu2,2001:db8::2",
		"header":           "user_id,ipv4 or 6\nu1,203.0.113.1\nu2,2001:db8::2\n",
		"mark and CRLF":    "\ufeffuser,address\r\nu1,203.0.113.1\r\n\r\nu2,2001:db8::2\r\n",
		"comments":         "# ours\nu1,203.0.113.1\n  # more\nu2,2001:db8::2\n",
		"comment, header":  "# ours\nuser,address\nu1,203.0.113.1\nu2,2001:db8::2\n",
		"quotes":           "\"u1\",\"203.0.113.1\"\n\"u2\" , 2001:db8::2\n",
		"semicolons":       "user;address\nu1;203.0.113.1\nu2;2001:db8::2\n",
		"quoted semicolon": "\"user\";\"address\"\nu1;203.0.113.1\n\"u2\";\"2001:db8::2\"\n",
		"tabs":             "u1\t203.0.113.1\nu2\t2001:db8::2\nu3\t\n",
		"spaces":           " u1 , 203.0.113.1 \n u2,2001:db8::2\n",
		"without one":      "u1,203.0.113.1\nu3,\nu2,2001:db8::2,\n",
		"twice the same":   "u1,203.0.113.1\nu2,2001:DB8:0::2\nu1,::ffff:203.0.113.1\nu2,2001:db8::2\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := ReadAddresses(fileOf(t, text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if a.Len() != 2 || a.Of("u1").String() != "203.0.113.1" || a.Of("u2").String() != "2001:db8::2" || a.Of("u3").IsValid() || a.Of("").IsValid() {
				t.Errorf("%d users: %s, %s, %s", a.Len(), a.Of("u1"), a.Of("u2"), a.Of("u3"))
			}
		})
	}
}

func TestAQuotedIDIsTakenAsItStands(t *testing.T) {
	t.Parallel()
	a, err := ReadAddresses(fileOf(t, "\"a,b;\"\"c \",203.0.113.1\n"), nil)
	if err != nil || !a.Of(`a,b;"c `).IsValid() {
		t.Errorf("%v, %v", a, err)
	}
}

// What a proxy or a carrier's NAT leaves in a log of addresses: banks refuse these, and
// they are no fault of the file's.
func TestAPrivateAddressIsNone(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i, address := range []string{
		"10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.254", "fd00::1", "::ffff:10.0.0.1", "255.255.255.255",
		"100.128.0.1", "172.32.0.1", "192.0.2.1", "2001:db8::1",
	} {
		fmt.Fprintf(&text, "u%d,%s\n", i, address)
	}
	a, err := ReadAddresses(fileOf(t, text.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if got := a.Of(fmt.Sprintf("u%d", i)); got.IsValid() != (i >= 8) {
			t.Errorf("u%d has %s", i, got)
		}
	}
}

func TestAFileThatIsWrongIsRefusedByItsLineAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"no address":       {"u1,203.0.113.1\nu2,203.0.113.300\n", "line 2: the second field is no IP address"},
		"first line":       {"u1,203.0.113.300\n", "line 1: the second field is no IP address"},
		"header again":     {"user,address\nu1,203.0.113.1\nuser,address\n", "line 3: the second field is no IP address"},
		"one field":        {"user,address\nu1\n", "line 2: the second field is no IP address"},
		"three fields":     {"u1,203.0.113.1,x\n", "line 1: it has more than two fields"},
		"no id":            {",203.0.113.1\n", "line 1: the first field is no user id"},
		"control":          {"u\x01,203.0.113.1\n", "line 1: the first field is no user id"},
		"not UTF-8":        {"u\xff,203.0.113.1\n", "line 1: the first field is no user id"},
		"loopback":         {"u1,127.0.0.1\n", "line 1: the second field is an address of this host"},
		"zone":             {"u1,fe80::1%eth0\n", "line 1: the second field is no IP address"},
		"no end of quotes": {"u1,203.0.113.1\n\"u2,203.0.113.2\n", "line 2: a quoted field has no end"},
		"after quotes":     {"\"u2\"x,203.0.113.2\n", "line 1: something follows on a quoted field"},
		"long":             {"u1,203.0.113.1\n" + strings.Repeat("x", 5000) + ",203.0.113.2\n", "line 2: it is longer than 4 KiB"},
		"UTF-16":           {"\xff\xfeu\x001\x00", "it is UTF-16: save it as UTF-8"},
		"two addresses":    {"u1,203.0.113.1\nu2,203.0.113.2\n# x\nu1,203.0.113.3\n", "line 4: another address than in line 1 for the same user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadAddresses(fileOf(t, test.text), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if text := strings.ReplaceAll(err.Error(), "such as 203.0.113.7 or 2001:db8::7", ""); strings.Contains(text, "203.0") || strings.Contains(text, "u1") {
				t.Errorf("the error tells whose: %v", err)
			}
		})
	}
	if _, err := ReadAddresses(filepath.Join(t.TempDir(), "nowhere.csv"), nil); err == nil || !strings.Contains(err.Error(), "sync.user_ips") {
		t.Errorf("no file: %v", err)
	}
}

func TestAllLinesThatAreWrongAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ReadAddresses(fileOf(t, "id,ip\nu1,203.0.113.1\nu2,nowhere\nu3\nu1,203.0.113.9\nu4,203.0.113.4\nu4,203.0.113.5\n"), nil)
	var wrong *AddressesError
	if !errors.As(err, &wrong) || wrong.More != 0 {
		t.Fatal(err)
	}
	var lines []int
	for _, m := range wrong.Mistakes {
		lines = append(lines, m.Line)
	}
	if !slices.Equal(lines, []int{3, 4, 5, 7}) {
		t.Errorf("lines %d: %v", lines, err)
	}
	_, err = ReadAddresses(fileOf(t, strings.Repeat("x,y.z\n", 1000)), nil)
	if !errors.As(err, &wrong) || len(wrong.Mistakes) != shownMistakes || wrong.More != 1000-shownMistakes || !strings.HasSuffix(err.Error(), "; and 980 lines more") {
		t.Errorf("%v", err)
	}
	if _, err := ReadAddresses(filepath.Join(t.TempDir(), "nowhere.csv"), nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nowhere.csv: file does not exist") {
		t.Errorf("no file: %v", err)
	}
}

// Not parallel: others would be measured, too.
//
//nolint:paralleltest // see above
func TestAMillionAddressesTakeThirtyBytesEach(t *testing.T) {
	const users = 200_000
	var b strings.Builder
	for i := range users {
		fmt.Fprintf(&b, "%08x-7d3c-4f3e-9c62-%012x,2001:db8::1:%x:%x\n", i, i, i>>16, i&0xffff)
	}
	file := fileOf(t, b.String())
	b.Reset()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a, err := ReadAddresses(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := float64(after.HeapAlloc-before.HeapAlloc) / users; each > 33 || a.Len() != users {
		t.Errorf("%.1f bytes each for %d users", each, a.Len())
	}
	half, err := ReadAddresses(file, func(id string) bool { return cursors.BucketOf(id)%2 == 0 })
	if err != nil || half.Len() < users*2/5 || half.Len() > users*3/5 {
		t.Errorf("a shard of two has %d of %d, %v", half.Len(), users, err)
	}
	for i := 0; i < users; i += 997 {
		id := fmt.Sprintf("%08x-7d3c-4f3e-9c62-%012x", i, i)
		if got, want := a.Of(id), netip.MustParseAddr(fmt.Sprintf("2001:db8::1:%x:%x", i>>16, i&0xffff)); got != want {
			t.Errorf("user %d: %s, want %s", i, got, want)
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"u1,203.0.113.1\n", "\"a\"\"b\";::1\n", "\ufeffx\ty", "\"", "a,\"", ",,,", "#", "u;1.2.3.4;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ReadAddresses(fileOf(t, text), nil)
		if err == nil && a.Len() > strings.Count(text, "\n")+1 {
			t.Errorf("%d users of %q", a.Len(), text)
		}
	})
}
