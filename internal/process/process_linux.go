package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// procfs is what the kernel says of processes. Tests put others in its place.
type procfs struct {
	proc   string                               // where procfs is mounted
	signal func(pid int, sig unix.Signal) error // kill(2)
	host   string
	pid    int // of the process that asks
}

var (
	here  = sync.OnceValue(func() procfs { return procfs{"/proc", unix.Kill, hostname(), os.Getpid()} })
	asker = sync.OnceValue(func() Identity { return here().self() })
)

func self() Identity { return asker() }

func gone(id Identity) bool { return here().gone(self(), id) }

// self tells who asks; the zero value in any doubt.
func (s procfs) self() Identity {
	if !s.showsOurNamespace() {
		return Identity{}
	}
	id := Identity{Host: s.host, BootID: s.read("sys/kernel/random/boot_id"), PID: s.pid}
	id.PIDNamespace, _ = os.Readlink(s.path("self/ns/pid")) // empty: in doubt
	time, err := os.Readlink(s.path("self/ns/time"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Identity{}
	}
	id.TimeNamespace = time
	own, err := s.stat(s.pid)
	if id.Start = own.start; err != nil || !id.whole() {
		return Identity{}
	}
	return id
}

// gone says whether a process of the asker's own machine has ended.
func (s procfs) gone(own, id Identity) bool {
	if !id.whole() || !sameMachine(own, id) {
		return false
	}
	signalled := s.signal(id.PID, 0)
	found, err := s.stat(id.PID)
	switch {
	case errors.Is(signalled, unix.ESRCH):
		// Where processes of other users are hidden, that one is missing in procfs
		// says nothing: the signal is what tells, and both must say the same.
		return errors.Is(err, fs.ErrNotExist)
	case err != nil:
		return false // hidden, or not to be read
	case found.start != id.Start:
		return true // the number is another's by now
	}
	return found.ended()
}

// procStatus is what /proc/<pid>/stat says of a process (proc(5)).
type procStatus struct {
	state   string
	threads int
	start   uint64
}

// ended says whether nothing of the process runs any more. The first thread of
// one that is being killed may be a zombie while others are still at a write.
func (s procStatus) ended() bool {
	return s.state == "X" || s.state == "Z" && s.threads <= 1
}

var errStat = errors.New("not what the kernel says of a process")

func (s procfs) stat(pid int) (procStatus, error) {
	text, err := os.ReadFile(s.path(strconv.Itoa(pid), "stat"))
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist // it ended between open and read
	}
	if err != nil {
		return procStatus{}, err
	}
	return parseStat(string(text))
}

// parseStat reads fields 3, 20 and 22. The second is the program's name in
// brackets, and may hold blanks and brackets itself.
func parseStat(text string) (procStatus, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || !strings.Contains(text, ")") {
		return procStatus{}, errStat
	}
	threads, err := strconv.Atoi(fields[17])
	if err != nil {
		return procStatus{}, errStat
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return procStatus{}, errStat
	}
	return procStatus{state: fields[0], threads: threads, start: start}, nil
}

// showsOurNamespace says whether procfs counts processes as the asker does: one
// that was mounted outside of its container names it by one number for each
// namespace, its own last.
func (s procfs) showsOurNamespace() bool {
	for line := range strings.Lines(s.read("self/status")) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return strings.TrimSpace(numbers) == strconv.Itoa(s.pid)
		}
	}
	return false
}

// read returns a short file, trimmed; "" where it cannot be read.
func (s procfs) read(name string) string {
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (s procfs) path(name ...string) string {
	return filepath.Join(append([]string{s.proc}, name...)...)
}
