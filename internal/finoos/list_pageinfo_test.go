package finoos

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aboutPages are answers, and whether their end tells about pages.
var aboutPages = []struct {
	claim string
	text  string
	ends  bool
}{
	{"the member is the last one", `{"categorization":[{"transactionId":"t"}],"metaData":{"page":1,"totalPages":3}}`, true},
	{"there is space around it", "{\"categorization\":[] , \"metaData\" \n:\t{ \"totalPages\" : 3 } } \r\n", true},
	{"it holds objects", `{"categorization":[],"metaData":{"totalPages":3,"x":{"y":[{}]}}}`, true},
	{"it is no object", `{"categorization":[],"metaData":null}`, true},
	{"it comes twice, and the last one counts", `{"metaData":{"totalPages":9},"categorization":[],"metaData":{"totalPages":3}}`, true},
	{"it is a list, and so another member tells", `{"context":{"totalPages":3},"categorization":[],"metaData":[]}`, false},
	{"it comes first", `{"metaData":{"totalPages":3},"categorization":[]}`, false},
	{"it is spelled in another way", `{"categorization":[],"METADATA":{"totalPages":3}}`, false},
	{"it is escaped", `{"categorization":[],"meta\u0044ata":{"totalPages":3}}`, false},
	{"it has another name", `{"categorization":[],"context":{"totalPages":3}}`, false},
	{"there is none", `{"categorization":[]}`, false},
	{"it belongs to a record", `{"categorization":[{"transactionId":"t","metaData":{"totalPages":3}}]}`, false},
	{"it belongs to another member", `{"categorization":[],"x":{"metaData":{"totalPages":3}}}`, false},
	{"it ends a longer name", `{"categorization":[],"\"metaData":{"totalPages":3}}`, false},
	{"it ends a longer name with a backslash", `{"categorization":[],"\\\"metaData":{"totalPages":3}}`, false},
	{"it is a text", `{"categorization":[],"x":"metaData"}`, false},
	{"it stands in a text", `{"categorization":[],"x":"\"metaData\":{\"totalPages\":3}}"}`, false},
	{"it is longer than what is looked at", `{"categorization":[],"metaData":{"totalPages":3,"x":"` + strings.Repeat("x", maxPageInfo) + `"}}`, false},
	{"the answer is a list", `[{"metaData":{"totalPages":3}}]`, false},
	{"the answer is cut off", `{"categorization":[],"metaData":{"totalPages":3}`, false},
	{"the answer goes on", `{"categorization":[],"metaData":{"totalPages":3}}}`, false},
}

func TestTheEndOfAnAnswerTellsAboutPagesWhereItCan(t *testing.T) {
	t.Parallel()
	for _, tt := range aboutPages {
		t.Run(tt.claim, func(t *testing.T) {
			t.Parallel()
			l := listOfText(t, categorizationSchema, tt.text, "categorization")
			defer closeQuietly(l)
			tail, err := l.parts[0].tail(maxPageInfo)
			if err != nil {
				t.Fatal(err)
			}
			if _, ends := lastMember(tail, "metaData"); ends != tt.ends {
				t.Errorf("the end tells: %v, want %v", ends, tt.ends)
			}
			checkPageInfo(t, l)
		})
	}
}

// checkPageInfo fails where the end of an answer tells anything but the answer.
func checkPageInfo(t *testing.T, l *List[Categorization]) {
	t.Helper()
	want, err := l.passOver()
	if err != nil {
		return // whoever reads the records will find out
	}
	got, err := l.pageInfo()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(pageInfo{})); err != nil || diff != "" {
		t.Errorf("%v (-the answer +its end):\n%s", err, diff)
	}
}

func FuzzTheEndOfAnAnswerTellsWhatTheAnswerDoes(f *testing.F) {
	for _, tt := range aboutPages {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := listOfText(t, categorizationSchema, text, "categorization")
		defer closeQuietly(l)
		checkPageInfo(t, l)
	})
}

func TestTheEndOfABodyIsTheSameInMemoryAndOnDisk(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, maxPageInfo, chunkSize, chunkSize + 1, chunkSize + maxPageInfo, 2 * chunkSize} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i * 7 >> 3)
		}
		for name, budget := range map[string]Budget{"memory": nil, "disk": none{}} {
			s, err := newSpool(t.Context(), strings.NewReader(string(body)), 1<<30, spoolRoom{memory: budget, dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.tail(maxPageInfo)
			if want := body[max(0, size-maxPageInfo):]; err != nil || string(got) != string(want) {
				t.Errorf("%d bytes in %s: got %d, %v", size, name, len(got), err)
			}
			closeQuietly(s)
		}
	}
}

// none is a budget without anything.
type none struct{}

func (none) TryAcquire(int64) bool { return false }
func (none) Release(int64)         {}
