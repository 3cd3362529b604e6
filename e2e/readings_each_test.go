package e2e

import (
	commandline "flag" // flag is a type of columns here
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"

	"github.com/google/go-cmp/cmp"
)

var (
	updateReadings = commandline.Bool("readings", false, "write docs/readings.md anew")
	onlyReading    = commandline.String("reading", "", "try only readings whose setting holds this text")
)

// withinAPeriod are the readings by which nobody can know at once what has
// changed: the lake is the truth when a full_refresh_every has passed.
var withinAPeriod = map[string]string{
	"removed_tags=removed":  "a diff does not tell of tags that were removed",
	"first_analysis=in_two": "a window does not look at the bookings of years ago that the second analysis finds",
	"replicas=stale_data":   "what is read within an hour of an analysis may be what was there before, and is read once more",
	"replicas=tags_later":   "what is read within an hour of an analysis may be what was there before, and is read once more",
}

// withinTwoWeeks are the readings by which a job that asks one service does not know at
// once what the others have: audits find it within fourteen nights.
var withinTwoWeeks = map[string]string{
	"services=other_order": "logins are read when banking has moved, which here they have done before",
}

// oneAsked stands before the readings of analyses that are tried with jobs that ask one
// service from the first night on, too.
const oneAsked = "probe=one,"

// comesLater tells whether the lake may be behind the truth until two weeks have passed.
func comesLater(setting string) bool {
	return strings.HasPrefix(setting, oneAsked) || withinTwoWeeks[own(setting)] != ""
}

// believed are the readings by which one user is answered well-formed accounts
// that do not exist, which nobody can know. All else is compared.
var believed = []string{"attack=keys", "attack=records", "attack=bomb"}

// own is the part of a setting that it is named after: others only let it show.
func own(setting string) string { return setting[strings.LastIndex(setting, ",")+1:] }

// TestNoReadingIsSilentlyWrong runs three nights under every single reading of
// the API, and one more where it is well again by then: after each the lake is the
// truth, or the run says what it could not know and writes nothing wrong.
// docs/readings.md is what comes out.
func TestNoReadingIsSilentlyWrong(t *testing.T) {
	t.Parallel()
	settings := singles()
	all := len(settings)
	settings = slices.DeleteFunc(settings, func(s string) bool {
		return !strings.Contains(s, *onlyReading) || testing.Short() && len(s)%6 != 0
	})
	if rows := tryReadings(t, settings); len(rows) == all && !t.Failed() {
		checkReadingsPage(t, rows)
	}
}

// singles are all readings but the first of each, with what lets them show.
func singles() (all []string) {
	for _, reading := range sandbox.AllReadings() {
		for _, value := range reading.Values[1:] {
			setting := reading.Name + "=" + value
			if reading.With != "" {
				setting = reading.With + "," + setting
			}
			all = append(all, setting)
			if slices.Contains([]string{"correlation_ids", "services", "replicas", "first_analysis"}, reading.Name) {
				all = append(all, oneAsked+setting)
			}
		}
	}
	return all
}

func TestNoMixtureOfReadingsIsSilentlyWrong(t *testing.T) {
	t.Parallel()
	var mixtures []string
	for seed := range uint64(12) {
		if testing.Short() && seed >= 3 {
			break
		}
		mixture := strings.Split(sandbox.MixReadings(seed, 0.12).String(), ",")
		mixtures = append(mixtures, strings.Join(slices.DeleteFunc(mixture, func(s string) bool {
			return withinAPeriod[s] != "" || withinTwoWeeks[s] != "" || slices.Contains(believed, s)
		}), ","))
	}
	tryReadings(t, mixtures)
}

// twoWeeks is how many nights later an audit has looked at everybody.
const twoWeeks = 14

// lakesAtOnce are compared in one database: opening one takes longer than all
// else, and what is true of more would not fit into little memory.
const lakesAtOnce = 12

// tryReadings is what becomes of the nights under each of some settings, as rows of
// the page.
func tryReadings(t *testing.T, settings []string) (rows []string) {
	t.Helper()
	for some := range slices.Chunk(settings, lakesAtOnce) {
		dir, readers := t.TempDir(), make([]*reader, len(some))
		t.Run("nights", func(t *testing.T) {
			for i, setting := range some {
				t.Run(setting, func(t *testing.T) {
					t.Parallel()
					readers[i] = readNights(t, filepath.Join(dir, fmt.Sprint("lake", i)), setting)
				})
			}
		})
		if t.Failed() {
			return nil
		}
		verdicts := judge(t, dir, readers)
		for i, setting := range some {
			t.Run(setting, func(t *testing.T) {
				checkEnd(t, setting, readers[i], verdicts[i])
				result := conclude(t, setting, verdicts[i])
				t.Log(result)
				rows = append(rows, fmt.Sprintf("| %s | %s |", shown(setting), strings.TrimRight(result, " ")))
			})
		}
	}
	return rows
}

// readNights reads three nights under a setting, and one more that all trouble is
// over by, or that comes a period later.
func readNights(t *testing.T, dir, setting string) *reader {
	t.Helper()
	readings, err := sandbox.ParseReadings(strings.TrimPrefix(setting, oneAsked))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, dir, readings)
	if strings.HasPrefix(setting, oneAsked) {
		r.job = []string{"probe: one"}
	}
	if readings.Joined != "" {
		r.job = append(r.job, "first: joined")
	}
	for n := range nights {
		if n > 0 {
			r.Night()
		}
		r.night(t)
		if readings.Attack == "records" || readings.Attack == "keys" {
			break // a quarter of a million accounts, or fields, are enough once
		}
	}
	switch {
	case comesLater(setting):
		r.quietNights(t, twoWeeks)
	case withinAPeriod[own(setting)] != "":
		r.Later(period)
		r.night(t)
	case r.heals():
		r.Night()
		r.night(t)
	}
	return r
}

// heals tells whether what is wrong is over in the fourth night.
func (r *reader) heals() bool {
	return (r.readings.Outage != "" || r.readings.List != "") && r.readings.BadNight != "every"
}

// checkEnd fails where trouble that is over has left anything behind.
func checkEnd(t *testing.T, setting string, r *reader, verdicts []verdict) {
	t.Helper()
	last := verdicts[len(verdicts)-1]
	if len(last.gaps) > 0 && (comesLater(setting) || withinAPeriod[own(setting)] != "" || r.heals() && (len(last.silent) > 0 || !strings.Contains(setting, "bad_user="))) {
		t.Errorf("%d gaps are left when all is well again, such as %s", len(last.gaps), last.gaps[0])
	}
}

// conclude makes the row of the nights' verdicts.
func conclude(t *testing.T, setting string, verdicts []verdict) string {
	t.Helper()
	var exits, says []string
	gaps, silent := 0, 0
	later := 0
	for i, v := range verdicts {
		exits = append(exits, strconv.Itoa(v.exit))
		if s := sentence(v.says); s != "" && !slices.Contains(says, s) {
			says = append(says, s)
		}
		gaps += len(v.gaps)
		silent += len(v.silent) + len(v.wrong)
		if withinAPeriod[own(setting)] != "" || slices.Contains(believed, own(setting)) {
			continue
		}
		if comesLater(setting) && i < len(verdicts)-1 {
			later += len(v.silent)
			v.silent = nil
		}
		for name, list := range map[string][]gap{"nothing is said of": v.silent, "was never true:": v.wrong} {
			if len(list) > 0 {
				t.Errorf("night %d, exit code %d (%s): %s %d gaps, such as %s", i+1, v.exit, v.says, name, len(list), list[0])
			}
		}
	}
	result := "equal"
	switch {
	case withinAPeriod[own(setting)] != "":
		result = "equal within a period: " + withinAPeriod[own(setting)]
		if silent == 0 {
			t.Errorf("%s is equal at once: take it out of withinAPeriod", setting)
		}
	case later > 0:
		result = "equal within 14 nights"
		if why := withinTwoWeeks[own(setting)]; why != "" && !strings.HasPrefix(setting, oneAsked) {
			result += ": " + why
		}
	case withinTwoWeeks[own(setting)] != "" && !strings.HasPrefix(setting, oneAsked):
		t.Errorf("%s is equal at once: take it out of withinTwoWeeks", setting)
	case slices.Contains(believed, own(setting)):
		result = "equal, but for what nobody can know to be invented"
		for _, v := range verdicts {
			for _, g := range v.gaps {
				if g.table != "accounts" || g.user != v.gaps[0].user {
					t.Errorf("not only one user's accounts differ: %s", g)
				}
			}
		}
	case gaps > 0:
		result = "told"
	case len(says) > 0:
		result = "equal, and told"
	}
	return fmt.Sprintf("%s | %s | %s", result, strings.Join(exits, " "), strings.Join(says, "; "))
}

var numbers = regexp.MustCompile(`\d+(\.\d+)?`)

// sentence is the first thing that a run says, without what differs from run to
// run.
func sentence(says string) string {
	says, _, _ = strings.Cut(says, "; ")
	return strings.ReplaceAll(numbers.ReplaceAllString(says, "n"), "|", "/")
}

// shown is a setting as the page names it.
func shown(setting string) string {
	name := "`" + own(setting) + "`"
	if with := strings.TrimSuffix(strings.TrimSuffix(setting, own(setting)), ","); with != "" {
		return name + " with `" + with + "`"
	}
	return name
}

// checkReadingsPage compares the page with what came out.
func checkReadingsPage(t *testing.T, rows []string) {
	t.Helper()
	want := readingsHead + strings.Join(rows, "\n") + "\n"
	page := filepath.Join("..", "docs", "readings.md")
	if *updateReadings {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/readings.md: -want +got:\n%s\nto write it anew: go -C e2e test -run Reading . -args -readings", diff)
	}
}

const readingsHead = `# Readings

The document of the API leaves much open, and other APIs of its kind were seen to differ from theirs. Each way in which it may
differ is a reading of the simulator (` + "`syncer sandbox --reading list`" + ` says what each imitates). A test runs three nights of six users under
each, and a fourth where all is well again by then, and compares every row with the truth after each night:

- **equal**: the lake is the truth after every night; **equal, and told**: so it is, and the run ends with a reservation all the same;
- **equal within a period**: it is the truth again when a ` + "`full_refresh_every`" + ` has passed;
- **equal within 14 nights**: a job that asks one service only sees what others have when that one moves, or when all are asked, which
  comes to every user once in 14 nights. Readings of analyses are tried with ` + "`probe: one`" + `, too, and 14 quiet nights after the three;
- **told**: something is missing or as old as the last good night, the run says so, by its exit code or by rows of ` + "`pulls`" + ` that are
  ` + "`failed`" + ` or ` + "`not_booked`" + `, or count a ` + "`null_list`" + `, and what was written is right.

What cannot be read is null in the truth, too; how many that are is in the run report (` + "`issues`" + `) and not said here.

The test keeps the page. Numbers in what the runs say are left out.

| reading | result | exit codes | says |
|---|---|---|---|
`
