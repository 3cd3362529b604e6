package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseFaults reads faults as the command line writes them: settings divided
// by commas, named like the fields of Faults:
//
//	rate_limit=20,burst=4,retry_after=seconds|date|none,latency=50ms,
//	error_rate=0.01,reset_rate=0.01,truncate_rate=0.01,token_early=4m,
//	end=empty|204|404|repeat,shift=insert|remove|shuffle,
//	down,refuse_reads,revoked,zero_pages,no_context
//
// and faults of users as kind=operation:user:after, where the operation may
// be left out (all of them) and so may the number of requests that go well
// before: malformed=contracts:3, never_analysed=5, deleted=6:10. The same
// kind may be named several times.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	var errs []error
	for setting := range strings.SplitSeq(text, ",") {
		if setting = strings.TrimSpace(setting); setting == "" {
			continue
		}
		name, value, _ := strings.Cut(setting, "=")
		if err := f.set(name, value); err != nil {
			errs = append(errs, fmt.Errorf("fault %q: %w", setting, err))
		}
	}
	return f, errors.Join(errs...)
}

func (f *Faults) set(name, value string) error {
	settings := f.settings()
	if read, known := settings[name]; known {
		return read(value)
	}
	if slices.Contains(kinds(), Kind(name)) {
		return f.setUser(Kind(name), value)
	}
	names := slices.Sorted(maps.Keys(settings))
	for _, k := range kinds() {
		names = append(names, string(k))
	}
	return fmt.Errorf("there is no %q, only %s", name, strings.Join(names, " "))
}

func (f *Faults) settings() map[string]func(string) error {
	return map[string]func(string) error{
		"rate_limit":    number(&f.RateLimit, 1e9),
		"burst":         count(&f.Burst),
		"retry_after":   choice(&f.RetryAfter, RetrySeconds, RetryDate, RetryNone),
		"latency":       duration(&f.Latency),
		"error_rate":    number(&f.ErrorRate, 1),
		"reset_rate":    number(&f.ResetRate, 1),
		"truncate_rate": number(&f.TruncateRate, 1),
		"token_early":   duration(&f.TokenEarly),
		"end":           choice(&f.End, EndEmpty, End204, End404, EndRepeat),
		"shift":         choice(&f.Shift, ShiftInsert, ShiftRemove, ShiftShuffle),
		"down":          toggle(&f.Down),
		"refuse_reads":  toggle(&f.RefuseReads),
		"revoked":       toggle(&f.Revoked),
		"zero_pages":    toggle(&f.ZeroPages),
		"no_context":    toggle(&f.NoContext),
	}
}

func number(to *float64, most float64) func(string) error {
	return func(value string) (err error) {
		if *to, err = strconv.ParseFloat(value, 64); err != nil || !(*to >= 0 && *to <= most) {
			return fmt.Errorf("want a number from 0 to %g", most)
		}
		return nil
	}
}

func count(to *int) func(string) error {
	return func(value string) (err error) {
		if *to, err = strconv.Atoi(value); err != nil || *to < 0 {
			return errors.New("want a number of 0 or more")
		}
		return nil
	}
}

func duration(to *time.Duration) func(string) error {
	return func(value string) (err error) {
		if *to, err = time.ParseDuration(value); err != nil || *to < 0 {
			return errors.New("want a duration such as 50ms or 2m")
		}
		return nil
	}
}

func choice[T ~string](to *T, among ...T) func(string) error {
	return func(value string) error {
		if !slices.Contains(among, T(value)) {
			return fmt.Errorf("want one of %v", among)
		}
		*to = T(value)
		return nil
	}
}

func toggle(to *bool) func(string) error {
	return func(value string) (err error) {
		if value == "" {
			value = "true"
		}
		if *to, err = strconv.ParseBool(value); err != nil {
			return errors.New("want true or false")
		}
		return nil
	}
}

func kinds() []Kind {
	return []Kind{
		Malformed, Rejected, Forbidden, NotFound, ServerError, Reset, Truncated, NeverAnalysed, Deleted,
		Deprecated, Credentials, Blocked, DailyLimit, SCARequired, RateLimited, SyncSucceeds,
	}
}

// setUser reads operation:user:after, of which the user alone is needed.
func (f *Faults) setUser(kind Kind, value string) error {
	op, parts := "*", strings.Split(value, ":")
	if knownOperation(parts[0]) {
		op, parts = parts[0], parts[1:]
	}
	fault := UserFault{Kind: kind}
	switch len(parts) {
	case 1:
	case 2:
		if err := count(&fault.After)(parts[1]); err != nil {
			return fmt.Errorf("%q: %w", parts[1], err)
		}
	default:
		return errors.New("want operation:user or operation:user:after, with one of the sandbox's operations")
	}
	if _, err := strconv.Atoi(parts[0]); err != nil && len(parts[0]) != 36 {
		return fmt.Errorf("%q is neither an operation nor the index or id of a user", parts[0])
	}
	if f.Users == nil {
		f.Users = map[string]map[string]UserFault{}
	}
	if f.Users[parts[0]] == nil {
		f.Users[parts[0]] = map[string]UserFault{}
	}
	f.Users[parts[0]][op] = fault
	return nil
}

func knownOperation(name string) bool {
	return name == "*" || slices.ContainsFunc(operations(), func(op operation) bool {
		return name == op.name || name == op.name+"/"+op.scope && op.name == "correlation"
	})
}
