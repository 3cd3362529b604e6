package reportpage

import (
	"fmt"
	"math"
	"strings"
	"time"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/report"
)

// The panels are drawn in coordinates of their own, this wide and high, and
// stretched to the page; texts are not.
const (
	panelWidth  = 1000.0
	panelHeight = 100.0
)

// chart is the timeline, drawn.
type chart struct {
	Desc string // for those who cannot see it
	// Area is the measured rate, Line the rate that the client allowed itself, but for
	// where it lies above the scale: then Beyond is the most that it was.
	Area, Line     string
	Beyond         string
	Refused, Users string
	// Most are the upper ends of the panels' scales.
	MostRate, HalfRate, MostRefused string
	UsersDone, UsersAll             int64
	Commits                         []float64 // in percent of the width
	Ticks                           []tick
	Rows                            []row
}

// tick is a label of the axis of time.
type tick struct {
	X      float64 // in percent of the width
	Label  string
	Anchor string
	Minor  bool // left out on small screens
}

// row is one line of the table that says the same as the chart.
type row struct {
	From, To       string
	PerSecond      string
	Allowed        string
	Refused, Users int64
	Rows, Commits  int64
}

// span is a point with its beginning and its rates.
type span struct {
	report.Point

	from              float64
	perSecond, denied float64
}

// flattens is how many times the measured rate may fit below the allowed one for both to
// be drawn: else nothing is seen of what was measured.
const flattens = 3

// newChart draws the timeline, nil where there are too few points for one.
func newChart(r *report.Report) *chart {
	list := stretches(r.Timeline)
	if len(list) < 2 {
		return nil
	}
	length := list[len(list)-1].At
	var peak, peakAllowed, peakRefused float64
	var users int64
	for _, s := range list {
		peak, peakAllowed = max(peak, s.perSecond), max(peakAllowed, s.Rate)
		peakRefused = max(peakRefused, s.denied)
		users += s.Users
	}
	highest := peak
	for _, s := range list {
		if s.Rate <= flattens*peak {
			highest = max(highest, s.Rate)
		}
	}
	top, topRefused := niceAbove(highest), niceAbove(peakRefused)
	c := &chart{
		Area: area(list, length, top, func(s span) float64 { return s.perSecond }), UsersDone: users, UsersAll: max(r.Users.Listed, users),
		Users:    usersLine(list, length, max(r.Users.Listed, users)),
		MostRate: perSecond(top), HalfRate: perSecond(top / 2), Ticks: ticks(length),
		Rows: rows(list),
	}
	c.Line = allowedLine(list, length, top)
	if peakAllowed > top {
		c.Beyond = perSecond(peakAllowed)
	}
	if peakRefused > 0 {
		c.Refused = area(list, length, topRefused, func(s span) float64 { return s.denied })
		c.MostRefused = perSecond(topRefused)
	}
	for _, s := range list {
		if s.Point.Commits > 0 {
			c.Commits = append(c.Commits, hundredths(100*s.At/length))
		}
	}
	c.Desc = fmt.Sprintf("%s in %s: %s a second on average, at most %s. %s refused. %s done, %s.",
		human.Plural(r.Requests, "request"), human.Seconds(length), perSecond(float64(r.Requests)/length), perSecond(peak),
		human.Count(r.Refused), human.Plural(users, "user"), human.Plural(int64(r.Commits), "commit"))
	return c
}

func stretches(points []report.Point) []span {
	var list []span
	from := 0.0
	for _, p := range points {
		if took := p.At - from; took > 0 {
			list = append(list, span{Point: p, from: from, perSecond: float64(p.Requests) / took, denied: float64(p.Refused) / took})
			from = p.At
		}
	}
	return list
}

// area is the outline of values that hold for a stretch each, closed along the bottom.
func area(list []span, length, top float64, value func(span) float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %.1f", panelHeight)
	for _, s := range list {
		fmt.Fprintf(&b, "V%.1fH%.1f", panelHeight*(1-min(1, value(s)/top)), panelWidth*s.At/length)
	}
	fmt.Fprintf(&b, "V%.1fZ", panelHeight)
	return b.String()
}

// allowedLine is the path of the rate that the client allowed itself, with gaps where
// there was none, or one above the scale.
func allowedLine(list []span, length, top float64) string {
	var b strings.Builder
	drawn := false
	for _, s := range list {
		was := drawn
		drawn = s.Rate > 0 && s.Rate <= top
		y, x := panelHeight*(1-s.Rate/top), panelWidth*s.At/length
		switch {
		case drawn && was:
			fmt.Fprintf(&b, "V%.1fH%.1f", y, x)
		case drawn:
			fmt.Fprintf(&b, "M%s %.1fH%.1f", strings.TrimSuffix(fmt.Sprintf("%.1f", panelWidth*s.from/length), ".0"), y, x)
		}
	}
	return b.String()
}

// usersLine is the path of the users done so far.
func usersLine(list []span, length float64, all int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %.1f", panelHeight)
	var done int64
	for _, s := range list {
		done += s.Users
		fmt.Fprintf(&b, "L%.1f %.1f", panelWidth*s.At/length, panelHeight*(1-float64(done)/float64(max(1, all))))
	}
	return b.String()
}

// niceAbove is the next number from 1, 2, 3, 4, 5, 6, 8 times a power of ten.
func niceAbove(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 3, 4, 5, 6, 8} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// tickSteps are the distances that the labels of a chart may have.
var tickSteps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// ticks labels the axis of time: at most eight, and every other of them will
// do on a small screen.
func ticks(length float64) []tick {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if length/s.Seconds() <= 7.5 {
			step = s
			break
		}
	}
	list := []tick{{Label: "0", Anchor: "start"}}
	for n := 1; ; n++ {
		at := time.Duration(n) * step
		x := 100 * at.Seconds() / length
		if x > 100 {
			return list
		}
		anchor := "middle"
		if x > 94 {
			anchor = "end"
		}
		list = append(list, tick{X: hundredths(x), Label: tickLabel(at), Anchor: anchor, Minor: n%2 == 1})
	}
}

func tickLabel(at time.Duration) string {
	if at < 10*time.Second && at%time.Second != 0 {
		return fmt.Sprintf("%.1f s", at.Seconds())
	}
	if at < time.Minute {
		return fmt.Sprintf("%d s", int(at.Seconds()))
	}
	return human.Duration(at)
}

// maxRows bounds the table beside the chart.
const maxRows = 24

// rows puts neighbours together until they fit into a table.
func rows(list []span) []row {
	each := (len(list) + maxRows - 1) / maxRows
	var out []row
	for i := 0; i < len(list); i += each {
		group := list[i:min(i+each, len(list))]
		last := group[len(group)-1]
		r := row{From: human.Seconds(group[0].from), To: human.Seconds(last.At), Allowed: "–"}
		if last.Rate > 0 {
			r.Allowed = perSecond(last.Rate)
		}
		var requests int64
		for _, s := range group {
			requests += s.Requests
			r.Refused += s.Refused
			r.Users += s.Point.Users
			r.Rows += s.Rows
			r.Commits += s.Commits
		}
		r.PerSecond = perSecond(float64(requests) / (last.At - group[0].from))
		out = append(out, r)
	}
	return out
}

// perSecond writes a rate: whole numbers from ten on, tenths below.
func perSecond(rate float64) string {
	if rate >= 9.95 || rate == math.Trunc(rate) {
		return human.Count(int64(math.Round(rate)))
	}
	if rate < 0.095 {
		return fmt.Sprintf("%.2g", rate)
	}
	return fmt.Sprintf("%.1f", rate)
}

func hundredths(x float64) float64 { return math.Round(100*x) / 100 }
