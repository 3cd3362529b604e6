package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"finoos-syncer/internal/human"
)

// someDay is where checkCron looks for the next match from; any day would do.
var someDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// cronFields are the fields of a schedule, with what may stand in each.
var cronFields = []struct{ name, values string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day", "1 to 31"},
	{"month", "1 to 12, or JAN to DEC"},
	{"weekday", "0 (Sunday) to 6, or SUN to SAT"},
}

// descriptors stand for a whole schedule.
var descriptors = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@every"}

const fiveFields = `write five fields such as "30 2 * * *" (minute, hour, day, month, weekday), or @daily`

// clock is a time of day, which is no schedule.
var clock = regexp.MustCompile(`^\d{1,2}:\d{2}(:\d{2})?$`)

// checkCron refuses a zone within the expression: there is a key for it, and
// the parser panics on half a prefix. Else it says which field is wrong.
func checkCron(text string) error {
	if strings.Contains(text, "TZ=") {
		return errors.New("holds a time zone: it belongs in the key timezone")
	}
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return errors.New("is no schedule: " + wrongCron(text))
	}
	if schedule.Next(someDay).IsZero() {
		return errors.New("names a day that never comes")
	}
	return nil
}

// wrongCron says what is wrong with a schedule.
func wrongCron(text string) string {
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "@every"):
		return "@every takes hours, minutes and seconds, such as @every 6h; days are written in hours"
	case strings.HasPrefix(text, "@"):
		return "there are " + strings.Join(descriptors, ", ") + human.Meant(text, descriptors)
	case len(fields) == 1 && clock.MatchString(text):
		return `it is a time of day: every day at 02:30 is "30 2 * * *"`
	case len(fields) == 1:
		return fiveFields + human.Meant("@"+text, descriptors)
	case len(fields) > len(cronFields):
		return fmt.Sprintf("it has %d fields, and there are five (minute, hour, day, month, weekday): seconds and years cannot be told, so leave them out", len(fields))
	case len(fields) < len(cronFields):
		return fmt.Sprintf("it has %d of five fields (minute, hour, day, month, weekday): write * for each that does not matter", len(fields))
	}
	var wrong []string
	for i, f := range cronFields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := cron.ParseStandard(strings.Join(alone, " ")); err != nil {
			wrong = append(wrong, fmt.Sprintf("the %s is not within %s", f.name, f.values))
		}
	}
	if len(wrong) == 0 {
		return fiveFields
	}
	return strings.Join(wrong, "; ")
}
