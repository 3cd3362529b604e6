package config

import (
	"strings"
	"testing"
)

// What people write, and what the YAML library makes of it: none of it is told in its
// words alone, and none of it shows what may be a secret.
func TestWhatIsNoYAMLIsToldAsWhatItIs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"a tab":                     {minimal() + "\tschedule: '@daily'\n", `jobs.yaml:9:1: a tab: YAML is indented by spaces only; write two for each level`},
		"a tab behind spaces":       {minimal() + "  \tschedule: '@daily'\n", `jobs.yaml:9:3: a tab: `},
		"every tab":                 {minimal() + "\tschedule: '@daily'\n\ttimezone: UTC\n", "jobs.yaml:9:1: a tab: YAML is indented by spaces only; write two for each level\njobs.yaml:10:1: a tab: "},
		"an unquoted @daily":        {minimal("schedule: @daily"), `jobs.yaml:9:15: a value that begins with @ needs quotes: write schedule: "@daily"`},
		"with a comment":            {minimal("schedule:  @daily # at night"), `jobs.yaml:9:16: a value that begins with @ needs quotes: write schedule: "@daily"`},
		"an unquoted step":          {minimal("schedule: */5 * * * *"), `jobs.yaml:9:15: a value that begins with * needs quotes: write schedule: "*/5 * * * *"`},
		"an unquoted star":          {minimal("schedule: * 3 * * *"), `jobs.yaml:9:15: a value that begins with * needs quotes: write schedule: "* 3 * * *"`},
		"two of them":               {minimal("schedule: @daily", "mask_key: `x`"), "jobs.yaml:9:15: a value that begins with @ needs quotes: write schedule: \"@daily\"\njobs.yaml:10:15: a value that begins with ` needs quotes: put the value in quotes"},
		"a secret that begins so":   {strings.Replace(minimal(), "client_secret: ", "client_secret: @", 1), `jobs.yaml:4:18: a value that begins with @ needs quotes: put the value in quotes`},
		"an indentation of its own": {minimal("schedule: '@daily'") + "   timezone: UTC\n", `jobs.yaml:10:4: is no YAML: this line begins at none of the columns of the lines above`},
		"a key below a value":       {minimal("schedule: '@daily'") + "      timezone: UTC\n", `jobs.yaml:10:7: is no YAML: this line begins at none of the columns of the lines above`},
		"a bracket":                 {minimal("streams: [users, accounts"), `is no YAML: a list or mapping in brackets is not closed`},
		"a quote":                   {minimal(`schedule: "30 2 * * *`), `is no YAML: a quote is not closed`},
		"two on a line":             {minimal("schedule: x timezone: UTC"), `jobs.yaml:9:1: is no YAML: a key, and before it something else`},
		"no space":                  {minimal(`schedule:"30 2 * * *"`), `jobs.yaml:9:5: jobs.nightly: must be a mapping: key: value lines below it; write a space behind the colon of schedule`},
		"a secret without a space":  {strings.Replace(minimal(), "client_secret: ", "client_secret:", 1), ``},
		"not UTF-8":                 {minimal("timezone: Z\xfcrich"), `is no YAML: it is not UTF-8`},
		"no text":                   {"\x00\x01\x02", `is no YAML: it holds control characters`},
	} {
		got := strings.Join(problems(t, tc.text, env()), "\n")
		if !strings.Contains(got, tc.want) || strings.Contains(tc.want, "\n") && strings.Count(got, "\n") != strings.Count(tc.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

// Lines in blocks, quotes and brackets are indented at will.
func TestAnIndentationIsNotSuspectedWhereItMayBeAnything(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: |\n    x\n  y: 1\nb: [\n", "a: \"x\n  y\n z\"\nb: }\n", "a:\n  - b\n  - c\nd:\n    e: 1\nf: 2\n", "a: [b,\n    c,\n  d]\n", "", "a:\n  b:\n    c: 1\n  d: 2\n",
	} {
		if n := misplaced(strings.Split(text, "\n")); n != 0 {
			t.Errorf("line %d of\n%s", n, text)
		}
	}
}

func TestAScheduleThatIsNoneIsToldWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for schedule, want := range map[string]string{
		"30 25 * * *":    "the hour is not within 0 to 23",
		"60 24 * * *":    "the minute is not within 0 to 59; the hour is not within 0 to 23",
		"30 2 0 * *":     "the day is not within 1 to 31",
		"30 2 * 13 *":    "the month is not within 1 to 12, or JAN to DEC",
		"30 2 * * 7":     "the weekday is not within 0 (Sunday) to 6, or SUN to SAT",
		"30 2 * * MONN":  "the weekday is not within 0 (Sunday) to 6, or SUN to SAT",
		"0 30 2 * * *":   "it has 6 fields, and there are five (minute, hour, day, month, weekday): seconds and years cannot be told, so leave them out",
		"30 2 * *":       "it has 4 of five fields",
		"@dialy":         `did you mean "@daily"?`,
		"daily":          `did you mean "@daily"?`,
		"@every 1d":      "@every takes hours, minutes and seconds, such as @every 6h",
		"02:30":          `it is a time of day: every day at 02:30 is "30 2 * * *"`,
		"every night":    "it has 2 of five fields",
		"30 2 * * * # x": "it has 7 fields",
	} {
		err := checkCron(schedule)
		if err == nil || !strings.HasPrefix(err.Error(), "is no schedule: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", schedule, err, want)
		}
	}
	for _, schedule := range []string{"30 2 * * *", "@daily", "@every 6h", "*/15 * * * *", "0 3 * * MON-FRI", "0 3 1,15 JAN *"} {
		if err := checkCron(schedule); err != nil {
			t.Errorf("%s: %v", schedule, err)
		}
	}
}
